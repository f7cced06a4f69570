// The API's description, as emendd serves it at /openapi.json: emend.yaml turned to JSON when
// building.
#pragma once

#include <string_view>

namespace emend::api::openapi {

std::string_view OpenApiJson();

}  // namespace emend::api::openapi
