#include "api/cli/refit.h"

namespace emend::api::cli::verbs::refit_verb {
namespace {

struct Options {
  std::string target;
  RefitOptions refit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  return RunRefit(session, target, options.refit);
}

void Describe(Arguments& arguments, Options& options) {
  RefitOptions& refit = options.refit;
  arguments.Add({.names = "REPO[@BRANCH]", .required = true, .into = &options.target});
  arguments.Add({.names = "--without",
                 .value = "COMMIT",
                 .help = "as if this commit had never been (emend revert --refit)",
                 .into = &refit.without});
  arguments.Add({.names = "--preview",
                 .help = "measure what would come of it and commit nothing",
                 .into = &refit.preview});
  arguments.Add(
      {.names = "-m,--message", .value = "MESSAGE", .help = "why", .into = &refit.message});
  AddSolveArguments(arguments, refit.solve);
  arguments.Add({.names = "--no-evaluation",
                 .help = "do not measure before and after",
                 .into = &refit.no_evaluation});
  arguments.AddSubmission(refit.submit);
}

}  // namespace

Verb Make() {
  return {.name = "refit",
          .group = Group::kEdit,
          .effect = Effect::kChanges,
          .summary = "solve all that a branch holds again, as one batch",
          .details =
              "From the targets that are stored with the edits: nothing is optimised. Each commit "
              "costs those\nbefore it a little; a refit takes that back, and leaves little of "
              "what was reverted.",
          .examples = "emend refit atlas --preview\nemend refit atlas --without main~3",
          .document =
              "as of `commit`, with `preview`, `removed` (edits that left), `bytes`, `blocked`, "
              "`taken_out` (of `--without`: as `earlier`), and of a preview `subtracted`: the same "
              "measures where the edits are only taken out",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::refit_verb
