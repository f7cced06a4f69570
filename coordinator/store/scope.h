// Who may do what.
#pragma once

#include <string_view>

#include "coordinator/answers/answer_service.h"

namespace emend::coordinator::store {

// kPermissionDenied names the scope that is missing.
Status CheckScope(const answers::Caller& caller, std::string_view scope);

}  // namespace emend::coordinator::store
