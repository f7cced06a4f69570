#include "api/cli/commits.h"
#include "api/cli/proposal_page.h"
#include "api/cli/refs.h"
#include "api/cli/revision.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::propose_verb {
namespace {

struct Options {
  std::string target;
  std::string onto = "main";
  std::string title;
  std::string text;
  bool no_check = false;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision source, ParseRepoRevision(options.target));
  Json body = {{"source", source.revision}, {"target", options.onto}};
  if (!options.title.empty()) body["title"] = options.title;
  if (!options.text.empty()) body["text"] = options.text;
  const Result<Json> sent = session.Post(RepoPath(source.repo, "/proposals"), body);
  if (!sent.ok()) HintAtMissingBranch(session, source, sent.status());
  EMEND_ASSIGN_OR_RETURN(const Json opened, sent);
  const auto number = static_cast<std::uint64_t>(CountOf(opened, "number"));
  if (!options.no_check) {
    EMEND_RETURN_IF_ERROR(
        session.Run(ProposalPath(source.repo, number, "/checks"), Json::object(), options.submit)
            .status());
  }
  EMEND_ASSIGN_OR_RETURN(const Json detail, session.Get(ProposalPath(source.repo, number)));
  if (session.json()) {
    session.Print(detail);
    return kExitOk;
  }
  ShowProposal(session, detail);
  HintAtNextStep(session, source.repo, detail);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@BRANCH",
                 .help = "whose changes are proposed",
                 .required = true,
                 .into = &options.target});
  arguments.Add({.names = "--onto",
                 .value = "BRANCH",
                 .help = "what they are proposed for",
                 .into = &options.onto});
  arguments.Add({.names = "-m,--message",
                 .value = "TITLE",
                 .help = "what it is; else as the newest commit says",
                 .into = &options.title});
  arguments.Add({.names = "--text",
                 .value = "TEXT",
                 .help = "why: what a reviewer should know",
                 .into = &options.text});
  arguments.Add({.names = "--no-check",
                 .help = "measure nothing now; its merge will",
                 .into = &options.no_check});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "propose",
          .group = Group::kReview,
          .effect = Effect::kChanges,
          .summary = "propose a branch's changes for another, measured",
          .details = "Proposed again, an open proposal of the same branches is measured again.",
          .examples =
              "emend branch atlas seats\nemend commit atlas@seats -F facts.json\nemend "
              "propose atlas@seats -m \"New seats\"",
          .document = "the proposal as `review` has it",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::propose_verb
