// JSON bodies, refused as storage/json refuses them. Inside this folder only.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "storage/base/status.h"

namespace emend::api::rest {

// kInvalidArgument, slug "malformed_json".
Status CheckJsonObject(std::string_view text);
Result<nlohmann::json> ParseJsonObject(std::string_view text);

}  // namespace emend::api::rest
