// What operations say of how well a state answers its facts. Internal to coordinator/operations.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "storage/objects/edit.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::operations {

// The question to a worker.
worker::protocol::Evaluate EvaluationOf(const BaseId& base, const StateId& state,
                                        const std::vector<storage::objects::Fact>& facts);
storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply);
nlohmann::ordered_json MeasuresJson(const storage::objects::Evaluation& measured);

// What the results of several kinds have in common.
nlohmann::ordered_json LocatedJson(const CommitId& commit, const StateId& state);
double Milliseconds(double seconds);  // seconds, rounded to them

}  // namespace emend::coordinator::operations
