// JSON bodies, read strictly. Inside this folder only.
//
// Refused with kInvalidArgument ("malformed_json"), the message giving the place: text that is no
// JSON or no UTF-8, nesting beyond 32, a key that comes twice in one object, numbers beyond double,
// NUL in a text, anything but an object at the top. Pure functions; the cost is linear in the text.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "storage/base/status.h"

namespace emend::api::rest {

inline constexpr int kJsonDepthMax = 32;

// Checks without building a document: for bodies that another layer reads.
Status CheckJsonObject(std::string_view text);
Result<nlohmann::json> ParseJsonObject(std::string_view text);

}  // namespace emend::api::rest
