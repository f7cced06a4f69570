// Scores of an evaluation as a table for people. Inside this folder only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/cli/session.h"

namespace emend::api::cli {

// One row for each named evaluation; those that are null are left out.
std::string RenderScores(const std::vector<std::pair<std::string, Json>>& evaluations);

}  // namespace emend::api::cli
