#include "api/cli/verb.h"

namespace emend::api::cli::verbs::token_new_verb {
namespace {

Result<int> Run(Session& session) { return session.BecomeEmendd({"--new-token"}); }

}  // namespace

Verb Make() {
  return {.name = "token new",
          .group = Group::kHouse,
          .summary = "make the store's first token again, with emendd down",
          .details =
              "For whoever has the store's folder and has lost the token in it. It is written to\n"
              "`token` in the folder, and the one before it is revoked.",
          .examples = "emend token new --store ~/emend-store",
          .document = "`{\"id\", \"principal\", \"scopes\", \"file\"}`; with emendd down",
          .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::token_new_verb
