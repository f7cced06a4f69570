// The texts of `emend help`: verbs by what one wants to do, exit codes, where the server is found.
// Inside this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emend::api::cli {

std::string_view OverviewText();
std::string_view ExitCodesText();
std::string_view EnvironmentText();
const std::vector<std::string>& VerbNames();

}  // namespace emend::api::cli
