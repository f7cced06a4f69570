// The tries of tuning as people read them. Inside this folder only; pure functions of a result's
// "tries" and "chosen".
#pragma once

#include <string>

#include "api/cli/session.h"

namespace emend::api::cli {

// "layers=9-13 clamp_norm_factor=0.5", of a "settings".
std::string RenderSettings(const Json& settings);

// A row each, with a "*" before the chosen one.
std::string RenderTries(const Json& result);

// One SVG: a point for each try, neighbours' answers kept to the right, PS upwards (facts taken
// where no paraphrase was given), each with its number, and a list of what the numbers are.
// kInvalidArgument if no neighbours were given: then there is nothing to set against each other.
Result<std::string> RenderTriesPlot(const Json& result);

}  // namespace emend::api::cli
