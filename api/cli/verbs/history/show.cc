#include "api/cli/commits.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs {
namespace {

struct Options {
  std::string target;
};

void ShowEdits(const Session& session, const Json& edits, const char* sign, Colour colour) {
  for (const Json& edit : edits) {
    for (const Json& fact : edit.value("facts", Json::array())) {
      const std::string old_target = TextOf(fact, "old_target");
      session.out() << session.terminal().Paint(sign, colour) << " "
                    << ShortId(TextOf(edit, "edit")) << "  " << QuestionOf(fact) << " -> "
                    << session.terminal().Paint(TextOf(fact, "target"), colour)
                    << (old_target.empty() ? "" : "  (was " + old_target + ")") << "\n";
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
  ShowEdits(session, commit.value("added", Json::array()), "+", Colour::kGreen);
  ShowEdits(session, commit.value("removed", Json::array()), "-", Colour::kRed);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
}

}  // namespace

Verb ShowVerb() {
  return {.name = "show",
          .group = Group::kHistory,
          .summary = "one commit with its edits",
          .examples = "emend show atlas@main~1",
          .document =
              "one commit as `log` has it, with `settings`, `seed`, `statistics`, `added` and "
              "`removed`: lists of `{\"edit\", \"method\", \"solved_on\", \"facts\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs
