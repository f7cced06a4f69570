// emend.yaml turned to JSON when building: the API's description but for its paths, which
// api/rest/description.h adds.
#pragma once

#include <string_view>

namespace emend::api::openapi {

std::string_view OpenApiJson();

}  // namespace emend::api::openapi
