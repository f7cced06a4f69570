#include "coordinator/store/scope.h"

#include <algorithm>

namespace emend::coordinator::store {

Status CheckScope(const answers::Caller& caller, std::string_view scope) {
  if (std::ranges::find(caller.scopes, scope) != caller.scopes.end()) return OkStatus();
  return {StatusCode::kPermissionDenied, "the token " + caller.principal.token_id + " of " +
                                             caller.principal.name + " lacks the scope \"" +
                                             std::string(scope) + "\""};
}

}  // namespace emend::coordinator::store
