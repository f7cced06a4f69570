#include "api/rest/strict_json.h"

#include "storage/json/document.h"

namespace emend::api::rest {

Status CheckJsonObject(std::string_view text) {
  return storage::json::Document::Parse(text).status();
}

Result<nlohmann::json> ParseJsonObject(std::string_view text) {
  EMEND_RETURN_IF_ERROR(CheckJsonObject(text));
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace emend::api::rest
