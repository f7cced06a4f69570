#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::repo_remove_verb {
namespace {

struct Options {
  std::string repo;
  std::string confirm;
  SubmitOptions submit;
};

Result<std::string> NameAgain(const Session& session, const Options& options) {
  if (!options.confirm.empty()) return options.confirm;
  const Terminal& terminal = session.terminal();
  if (!terminal.ask)
    return InvalidArgument("removing the repo \"" + options.repo +
                           "\" was not confirmed: there is no terminal to ask on; give its name "
                           "again, --confirm " +
                           options.repo);
  return terminal.ask("This takes " + options.repo +
                      " with all its history out of the store, for good.\nIts name again: ");
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_RETURN_IF_ERROR(session.Get(RepoPath(options.repo)).status());
  EMEND_ASSIGN_OR_RETURN(const std::string name, NameAgain(session, options));
  EMEND_ASSIGN_OR_RETURN(const Json result, session.Run(RepoPath(options.repo, "/removals"),
                                                        {{"repo", name}}, options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << options.repo << " is removed\n";
  const std::string kept = TextOf(result, "files_kept");
  if (!kept.empty()) session.out() << "the files of its base stay: " << kept << "\n";
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add({.names = "--confirm",
                 .value = "REPO",
                 .help = "its name again, which a terminal is asked for",
                 .into = &options.confirm});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "repo remove",
          .group = Group::kModel,
          .effect = Effect::kChanges,
          .summary = "take a repo with all its history out of the store",
          .details =
              "There is no way back but a backup. What was accepted for it before is done "
              "first.\nThe model's files in the store go with the last repo that stands on "
              "them.",
          .examples = "emend repo remove atlas --confirm atlas",
          .document = "`{\"repo\", \"base\", \"files_kept\"}`, the last saying why, if they were",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::repo_remove_verb
