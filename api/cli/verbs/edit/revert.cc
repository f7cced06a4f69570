#include "api/cli/commits.h"
#include "api/cli/refit.h"
#include "api/cli/refs.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::revert_verb {
namespace {

struct Options {
  std::string target;
  std::string commit;
  std::string message;
  bool refit = false;
  bool preview = false;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  if (options.refit || options.preview) {
    return RunRefit(session, target,
                    {.without = options.commit,
                     .message = options.message,
                     .preview = options.preview,
                     .solve = {},
                     .submit = options.submit});
  }
  EMEND_ASSIGN_OR_RETURN(const std::string reverted, ParseRevisionOf(target.repo, options.commit));
  Json body = {{"branch", target.revision}, {"commit", reverted}};
  if (!options.message.empty()) body["message"] = options.message;
  const Result<Json> ran = session.Run(RepoPath(target.repo, "/reverts"), body, options.submit);
  if (!ran.ok()) HintAtMissingBranch(session, target, ran.status());
  EMEND_ASSIGN_OR_RETURN(const Json result, ran);
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  const std::string id = ShortId(TextOf(result, "commit"));
  session.out() << "["
                << session.terminal().Paint(target.repo + "@" + target.revision + " " + id,
                                            Colour::kYellow)
                << "] reverted " << options.commit << ": " << CountOf(result, "removed")
                << " edits taken out, " << CountOf(result, "restored") << " put back\n";
  if (const long blocked = CountOf(result, "blocked"); blocked > 0) {
    session.out() << blocked
                  << " not put back: newer edits hold what they were about (revert those first)\n";
  }
  const std::string made = target.repo + "@" + id;
  session.Hint("diff " + ShellWord(made + "~1") + " " + ShellWord(made));
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@BRANCH]", .required = true, .into = &options.target});
  arguments.Add({.names = "COMMIT",
                 .help = "the commit whose edits go",
                 .required = true,
                 .into = &options.commit});
  arguments.Add(
      {.names = "-m,--message", .value = "MESSAGE", .help = "why", .into = &options.message});
  arguments.Add({.names = "--refit",
                 .help = "solve what stays again, so that nothing is left of it",
                 .into = &options.refit});
  arguments.Add({.names = "--preview",
                 .help = "measure both ways and commit nothing",
                 .into = &options.preview});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "revert",
          .group = Group::kEdit,
          .effect = Effect::kChanges,
          .summary = "take a commit's edits out again, as a new commit",
          .details = "What came later stays as it was solved, to the byte: no worker is needed.",
          .examples = "emend revert atlas main~1\nemend revert atlas main~1 --preview",
          .document =
              "`{\"commit\", \"state\", \"branch\", \"removed\", \"restored\", \"blocked\"}`; "
              "with --refit or --preview as of `refit`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::revert_verb
