#include <nlohmann/json.hpp>

#include "api/client/client.h"

namespace emend::api::client {
namespace {

StatusCode CodeOfCategory(const std::string& category) {
  for (int i = 1; i <= static_cast<int>(StatusCode::kInternal); ++i) {
    if (CodeName(static_cast<StatusCode>(i)) == category) return static_cast<StatusCode>(i);
  }
  return StatusCode::kInternal;
}

// For answers that are no problem documents: a proxy's, most likely.
StatusCode CodeOfHttp(int http_status) {
  switch (http_status) {
    case 401: return StatusCode::kUnauthenticated;
    case 403: return StatusCode::kPermissionDenied;
    case 404: return StatusCode::kNotFound;
    case 409:
    case 412: return StatusCode::kConflict;
    case 413:
    case 429:
    case 431: return StatusCode::kResourceExhausted;
    case 502:
    case 503: return StatusCode::kUnavailable;
    case 504: return StatusCode::kDeadlineExceeded;
    default: return http_status < 500 ? StatusCode::kInvalidArgument : StatusCode::kInternal;
  }
}

}  // namespace

Status StatusOfProblem(int http_status, std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const auto text = [&json](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (json.is_object() && !text("category").empty() && !text("code").empty())
    return {CodeOfCategory(text("category")), text("code"), text("detail")};
  return {CodeOfHttp(http_status),
          "the server answered " + std::to_string(http_status) +
              " without a problem document: " + std::string(body.substr(0, 200))};
}

std::string EncodeSegment(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace emend::api::client
