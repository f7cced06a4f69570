// Files that commands read and paths that they name. Inside this folder only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/cli/verb.h"

namespace emend::api::cli {

// kNotFound names the path.
Result<std::string> ReadInput(const std::string& path);
// Absolute, so that the server means the same place. The server must see this machine's files.
Result<std::string> AbsolutePath(const std::string& path);

struct FactSelection {
  std::string file;
  std::optional<std::uint64_t> limit;
  std::uint64_t offset = 0;
};
// -F, which must be given, --limit and --offset.
void AddFactArguments(Arguments& arguments, FactSelection& facts);
// The selected facts as the JSON that requests take.
Result<Json> LoadFacts(const FactSelection& selection);
// Groups of templates: [["{}"], ["...{}", ...]], or a document with them under "context_templates".
Result<Json> LoadContextTemplates(const std::string& path);

}  // namespace emend::api::cli
