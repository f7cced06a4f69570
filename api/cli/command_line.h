// The command line of `emend`: git's verbs, over REST.
//
//   return RunCommandLine({argv + 1, argv + argc}, SystemTerminal());
//
// docs/reference/cli.md holds every verb, document and exit code.
#pragma once

#include <string>
#include <vector>

#include "api/cli/terminal.h"

namespace emend::api::cli {

// Parses and runs one command; the exit code. Blocks until the command is done.
int RunCommandLine(const std::vector<std::string>& arguments, const Terminal& terminal);

}  // namespace emend::api::cli
