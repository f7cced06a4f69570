#include "api/cli/refs.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::reset_verb {
namespace {

struct Options {
  std::string target;
  std::string commit;
  std::string message;
};

// Reads the head and moves the branch only if it still is that: what comes in between is a
// conflict, never lost.
Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  const std::string path = RefPath(target.repo, "branch", target.revision);
  EMEND_ASSIGN_OR_RETURN(const Answer read, ReadRef(session, path));
  const std::string from = TextOf(read.body, "commit");
  EMEND_ASSIGN_OR_RETURN(const std::string revision, ParseRevisionOf(target.repo, options.commit));
  const std::string reason =
      "reset: " + (options.message.empty() ? "moving to " + revision : options.message);
  EMEND_ASSIGN_OR_RETURN(
      const Json moved,
      PutRef(session, path, {{"revision", revision}, {"reason", reason}}, {"If-Match", read.etag}));
  const std::string to = TextOf(moved, "commit");
  if (session.json()) {
    session.Print(
        {{"repo", target.repo}, {"branch", target.revision}, {"commit", to}, {"from", from}});
    return kExitOk;
  }
  if (to == from) {
    session.out() << target.repo << "@" << target.revision << " is at " << ShortId(to)
                  << " already\n";
    return kExitOk;
  }
  session.out() << target.repo << "@" << target.revision << " is now at "
                << session.terminal().Paint(ShortId(to), Colour::kYellow) << " (was "
                << ShortId(from) << ")\n";
  session.Hint("reset " + ShellWord(target.repo + "@" + target.revision) + " " + ShortId(from),
               "goes back");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@BRANCH", .required = true, .into = &options.target});
  arguments.Add({.names = "COMMIT",
                 .help = "where to: any revision",
                 .required = true,
                 .into = &options.commit});
  arguments.Add({.names = "-m,--message",
                 .value = "REASON",
                 .help = "for the reflog",
                 .into = &options.message});
}

}  // namespace

Verb Make() {
  return {.name = "reset",
          .group = Group::kEdit,
          .effect = Effect::kChanges,
          .summary = "move a branch to another commit",
          .examples = "emend reset atlas@main main~1",
          .document = "`{\"repo\", \"branch\", \"commit\", \"from\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::reset_verb
