#include "api/cli/verb.h"
#include "api/cli/verdict.h"

namespace emend::api::cli::verbs::fsck_verb {
namespace {

struct Options {
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run("/api/v1/fsck", Json::object(), options.submit));
  if (session.json()) {
    session.Print(result);
    return Verdict(result);
  }
  for (const Json& problem : result.value("problems", Json::array()))
    session.out() << TextOf(problem, "where") << ": " << TextOf(problem, "what") << "\n";
  session.out() << "checked " << static_cast<long>(NumberOf(result, "commits")) << " commits and "
                << static_cast<long>(NumberOf(result, "edits")) << " edits: the store is "
                << PaintVerdict(session, result) << "\n";
  return Verdict(result);
}

void Describe(Arguments& arguments, Options& options) { arguments.AddSubmission(options.submit); }

}  // namespace

Verb Make() {
  return {
      .name = "fsck",
      .group = Group::kProof,
      .summary = "check the whole store",
      .details = "Exits 1 if something is wrong.",
      .document = "`{\"ok\", \"problems\": [{\"where\", \"what\"}], \"commits\", \"edits\", …}`",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::fsck_verb
