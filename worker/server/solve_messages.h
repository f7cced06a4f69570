// Between what is said about a batch and what worker/edit works with.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/edit/batch_targets.h"
#include "worker/edit/solve_batch.h"
#include "worker/protocol/messages.h"

namespace emend::worker::server {

std::vector<edit::EditFact> FactsOf(const std::vector<protocol::SolveFact>& facts);
std::vector<protocol::SolvedTarget> TargetsOf(const edit::Targets& found);
// The reverse; values are undefined if none are given. kInvalidArgument unless there is one of d
// values for each fact.
Result<edit::Targets> GivenTargets(const std::vector<protocol::SolvedTarget>& given,
                                   std::size_t fact_count, std::int64_t hidden);
protocol::SolveReply ReplyOf(const edit::BatchSolution& solution);

}  // namespace emend::worker::server
