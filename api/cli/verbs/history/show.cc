#include "api/cli/commits.h"
#include "api/cli/evidence.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::show_verb {
namespace {

struct Options {
  std::string target;
};

// ", said now: 1.2% -> 87.0%", or nothing where it was not measured.
std::string AnswerOf(const Json& evidence, const std::string& edit) {
  if (!evidence.is_object()) return "";
  for (const Json& fact : evidence.value("facts", Json::array())) {
    if (TextOf(fact, "edit") != edit) continue;
    return std::string(fact.value("taken", false) ? ", said now: " : ", NOT said: ") +
           RenderPercent(100 * NumberOf(fact, "before")) + " % -> " +
           RenderPercent(100 * NumberOf(fact, "after")) + " %";
  }
  return "";
}

void ShowEdits(const Session& session, const Json& edits, const char* sign, Colour colour,
               const Json& evidence) {
  for (const Json& edit : edits) {
    for (const Json& fact : edit.value("facts", Json::array())) {
      const std::string old_target = TextOf(fact, "old_target");
      session.out() << session.terminal().Paint(sign, colour) << " "
                    << ShortId(TextOf(edit, "edit")) << "  " << QuestionOf(fact) << " -> "
                    << session.terminal().Paint(TextOf(fact, "target"), colour)
                    << (old_target.empty() ? "" : "  (was " + old_target + ")")
                    << AnswerOf(evidence, TextOf(edit, "edit")) << "\n";
    }
  }
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(
      const Json commit,
      session.Get(RepoPath(target.repo, "/commits/" + client::EncodeSegment(target.revision))));
  if (session.json()) {
    session.Print(commit);
    return kExitOk;
  }
  ShowLogEntry(session, commit, "", /*oneline=*/false);
  const Json evidence = commit.value("evidence", Json::object());
  ShowEdits(session, commit.value("added", Json::array()), "+", Colour::kGreen, evidence);
  ShowEdits(session, commit.value("removed", Json::array()), "-", Colour::kRed, Json::object());
  if (evidence.is_object()) session.out() << RenderEvidence(evidence) << RenderAnswers(evidence);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
}

}  // namespace

Verb Make() {
  return {
      .name = "show",
      .group = Group::kHistory,
      .summary = "one commit with its edits",
      .examples = "emend show atlas@main~1",
      .document =
          "one commit as `log` has it, with `settings`, `seed`, `statistics`, `evidence`, `added` "
          "and `removed`: lists of `{\"edit\", \"method\", \"solved_on\", \"facts\"}`",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::show_verb
