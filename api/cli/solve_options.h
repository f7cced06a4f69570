// What verbs that solve facts take and say alike. Inside this folder only.
#pragma once

#include <string>
#include <vector>

#include "api/cli/verb.h"

namespace emend::api::cli {

struct SolveOptions {
  std::vector<std::string> settings;
  std::string required;
};

// --set and --require.
void AddSolveArguments(Arguments& arguments, SolveOptions& options);
// Into "settings", "context_templates" and "require". kInvalidArgument says which word is none.
Status ReadSolveOptions(const SolveOptions& options, Json& body);

// "taken=90,ps=80" into "require", as texts.
Status ReadRequired(const std::string& words, Json& body);

// Phases, statistics, scores before and after, evidence, what was not taken: of a result.
std::string RenderSolved(const Json& result);

}  // namespace emend::api::cli
