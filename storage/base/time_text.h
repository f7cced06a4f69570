// Times as documents show them.
#pragma once

#include <cstdint>
#include <string>

namespace emend {

// RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.000Z".
std::string RenderTime(std::int64_t unix_ms);

}  // namespace emend
