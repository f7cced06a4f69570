#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "api/cli/verdict.h"

namespace emend::api::cli::verbs::verify_verb {
namespace {

struct Options {
  std::string target;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(target.repo, "/verifications"),
                                     {{"revision", target.revision}}, options.submit));
  if (session.json()) {
    session.Print(result);
    return Verdict(result);
  }
  const Json tensors = result.value("tensors", Json::array());
  for (const Json& tensor : tensors) {
    if (Verdict(tensor) != kExitOk)
      session.out() << TextOf(tensor, "name") << " is " << PaintVerdict(session, tensor) << ": "
                    << TextOf(tensor, "fault") << "\n";
  }
  session.out() << "compared " << tensors.size() << " tensors: " << target.repo << "@"
                << ShortId(TextOf(result, "commit")) << " is " << PaintVerdict(session, result)
                << "\n";
  return Verdict(result);
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "verify",
          .group = Group::kProof,
          .summary = "compare live weights, an independent rebuild and the manifest",
          .details = "Exits 1 if they differ.",
          .examples = "emend verify atlas@main",
          .document =
              "`{\"ok\", \"commit\", \"state\", \"tensors\": [{\"name\", \"digest\", \"ok\"}], "
              "\"files\": [{\"name\", \"digest\", \"ok\"}]}`, the files being the stored base's",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::verify_verb
