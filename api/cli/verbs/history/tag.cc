#include "api/cli/refs.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::tag_verb {
namespace {

Result<int> Run(Session& session, const RefOptions& options) {
  return RunRef(session, "tag", options);
}

}  // namespace

Verb Make() {
  return {.name = "tag",
          .group = Group::kHistory,
          .effect = Effect::kChanges,
          .summary = "list, create or delete tags",
          .examples = "emend tag atlas\nemend tag atlas v1 main~1\nemend tag atlas -d v1",
          .document = kRefDocument,
          .bind = Bind<RefOptions, AddRefArguments, Run>};
}

}  // namespace emend::api::cli::verbs::tag_verb
