#include "api/cli/files.h"

#include <filesystem>
#include <iostream>
#include <iterator>

#include "storage/base/file_system.h"

namespace emend::api::cli {

Result<std::string> ReadInput(const std::string& path) {
  if (path == "-")
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  PosixFileSystem files;
  Result<std::string> text = files.Read(path);
  if (!text.ok()) return InvalidArgument("reading the file: " + text.status().message());
  return text;
}

Result<std::string> AbsolutePath(const std::string& path) {
  std::error_code error;
  const std::string absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error).string();
  if (error) return InvalidArgument("finding " + path + ": " + error.message());
  return absolute;
}

Result<Json> LoadContextTemplates(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string text, ReadInput(path));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("context_templates"))
    json = Json(json["context_templates"]);
  bool is_groups = json.is_array();
  if (is_groups) {
    for (const Json& group : json) is_groups = is_groups && group.is_array();
  }
  if (is_groups) return json;
  return InvalidArgument("reading context templates from " + path +
                         R"(: expected groups of templates, such as [["{}"], ["Yesterday. {}"]])");
}

}  // namespace emend::api::cli
