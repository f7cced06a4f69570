#include "api/cli/files.h"

#include <filesystem>
#include <iostream>
#include <iterator>

#include "api/cli/fact_json.h"
#include "api/facts/fact_file.h"
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

void AddFactArguments(Arguments& arguments, FactSelection& facts) {
  arguments.Add({.names = "-F,--file",
                 .value = "FILE",
                 .help = "file of facts: CounterFact, zsRE, KnowEdit, CSV, JSON lines; - is "
                         "standard input",
                 .required = true,
                 .kind = ValueKind::kFile,
                 .into = &facts.file});
  arguments.Add({.names = "--limit",
                 .value = "N",
                 .help = "take at most N rows",
                 .range = Range{1, kCountMax},
                 .into = &facts.limit});
  arguments.Add({.names = "--offset",
                 .value = "N",
                 .help = "pass over N rows first",
                 .range = Range{0, kCountMax},
                 .into = &facts.offset});
}

Result<Json> LoadFacts(const FactSelection& selection) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, ReadInput(selection.file));
  facts::ParseOptions options;
  options.offset = selection.offset;
  if (selection.limit) options.limit = *selection.limit;
  EMEND_ASSIGN_OR_RETURN(const facts::FactFile file,
                         facts::ParseFactFile(bytes, selection.file, options));
  return FactsToJson(file.facts);
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
