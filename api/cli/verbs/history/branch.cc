#include "api/cli/refs.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::branch_verb {
namespace {

Result<int> Run(Session& session, const RefOptions& options) {
  return RunRef(session, "branch", options);
}

}  // namespace

Verb Make() {
  return {
      .name = "branch",
      .group = Group::kHistory,
      .effect = Effect::kChanges,
      .summary = "list, create or delete branches",
      .examples = "emend branch atlas\nemend branch atlas dev main~1\nemend branch atlas -d dev",
      .document = kRefDocument,
      .bind = Bind<RefOptions, AddRefArguments, Run>};
}

}  // namespace emend::api::cli::verbs::branch_verb
