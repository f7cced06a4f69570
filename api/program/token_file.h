// Files that hold a token, mode 0600: what programs of one machine know each other by.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace emend::api::program {

// The secret in a token file, without its line end.
Result<std::string> ReadToken(const std::string& token_file);

}  // namespace emend::api::program
