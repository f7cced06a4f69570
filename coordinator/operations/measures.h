// What operations say of how well a state answers its facts. Internal to coordinator/operations.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "storage/checkpoint/model_files.h"
#include "storage/objects/edit.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::operations {

// The question to a worker. `rows`: of the facts in the request, from 1; none if they are not its.
worker::protocol::Evaluate EvaluationOf(const BaseId& base, const StateId& state,
                                        const std::vector<storage::objects::Fact>& facts,
                                        const std::vector<std::size_t>& rows);
storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply);
nlohmann::ordered_json MeasuresJson(const storage::objects::Evaluation& measured);

// What the results of several kinds have in common.
nlohmann::ordered_json LocatedJson(const CommitId& commit, const StateId& state);
nlohmann::ordered_json LeftOutJson(const storage::checkpoint::LeftOut& left_out);
double Milliseconds(double seconds);  // seconds, rounded to them

}  // namespace emend::coordinator::operations
