// Words of a command line into what a verb and the program take. The only place that knows CLI11.
// Inside this folder only.
#pragma once

#include <string>
#include <vector>

#include "api/cli/verb.h"

namespace emend::api::cli {

// --server, --token, --store, --json and -q, which every verb takes, before it and after it.
void AddGlobals(Arguments& arguments, GlobalOptions& globals);

// kInvalidArgument says which word is wrong; `verb` is for the message.
Status ParseWords(const std::string& verb, const std::vector<Argument>& arguments,
                  const std::vector<std::string>& words);

}  // namespace emend::api::cli
