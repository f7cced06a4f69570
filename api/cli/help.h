// What `emend help` prints, and the manual page, all from the table of verbs. Pure functions.
// Inside this folder only.
#pragma once

#include <string>
#include <string_view>

#include "api/cli/verb.h"

namespace emend::api::cli {

// Every verb with its line, by what one wants to do.
std::string RenderOverview();
std::string RenderHelp(const Verb& verb);
// The program's manual page, for man(1).
std::string RenderManual();

std::string_view ExitCodesText();
std::string_view EnvironmentText();
// Methods and settings of a solve, from their tables.
std::string SettingsText();

}  // namespace emend::api::cli
