// Request targets: "/api/v1/repos/atlas/commits/main%7E1?limit=10" into decoded segments and
// parameters.
//
// Segments are split before they are decoded, so that "%2F" is a character of a name and never a
// separator. Refused with kInvalidArgument ("malformed_request"): anything but origin form,
// fragments, broken percent-encoding, what decodes to control characters or is no UTF-8, "." and
// ".." segments, a parameter that comes twice.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::rest {

struct Target {
  std::string path;                   // as sent
  std::vector<std::string> segments;  // decoded
  std::map<std::string, std::string> query;
};

Result<Target> ParseTarget(std::string_view target);

}  // namespace emend::api::rest
