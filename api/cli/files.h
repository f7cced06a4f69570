// Files that commands read and paths that they name. Inside this folder only.
#pragma once

#include <string>

#include "api/cli/verb.h"

namespace emend::api::cli {

// kNotFound names the path.
Result<std::string> ReadInput(const std::string& path);
// Absolute, so that the server means the same place. The server must see this machine's files.
Result<std::string> AbsolutePath(const std::string& path);

// Groups of templates: [["{}"], ["...{}", ...]], or a document with them under "context_templates".
Result<Json> LoadContextTemplates(const std::string& path);

}  // namespace emend::api::cli
