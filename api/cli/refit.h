// Refitting, as `refit` and `revert --refit` do it. Inside this folder only.
#pragma once

#include <string>

#include "api/cli/revision.h"
#include "api/cli/solve_options.h"

namespace emend::api::cli {

struct RefitOptions {
  std::string without;  // the commit to be reverted, as typed; empty: none
  std::string message;
  bool preview = false;
  bool no_evaluation = false;
  SolveOptions solve;
  SubmitOptions submit;
};

// Submits it, waits, and shows what came of it.
Result<int> RunRefit(Session& session, const RepoRevision& target, const RefitOptions& options);

}  // namespace emend::api::cli
