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
// How many of them the model says.
std::size_t TakenOf(const std::vector<worker::protocol::FactAnswer>& answers);
// What neighbours with a target of their own add to a result, "neighbour_targets": how many the
// model says, and which (the first kNeighboursNamedMax; those that changed first). `before` is none
// where one state alone was asked. Nothing if no neighbour has one. REQUIRES: both are about these
// facts, as CheckAnswers says.
inline constexpr std::size_t kNeighboursNamedMax = 100;
nlohmann::ordered_json NeighbourTargetsJson(const std::vector<storage::objects::Fact>& facts,
                                            const std::vector<std::size_t>& rows,
                                            const worker::protocol::EvaluateReply* before,
                                            const worker::protocol::EvaluateReply& after);
// kInternal unless the reply answers about each of these facts and its neighbours' targets.
Status CheckAnswers(const worker::protocol::Evaluate& asked,
                    const worker::protocol::EvaluateReply& reply);
storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply);
nlohmann::ordered_json MeasuresJson(const storage::objects::Evaluation& measured);

// What the results of several kinds have in common.
nlohmann::ordered_json LocatedJson(const CommitId& commit, const StateId& state);
nlohmann::ordered_json LeftOutJson(const storage::checkpoint::LeftOut& left_out);
double Milliseconds(double seconds);  // seconds, rounded to them

}  // namespace emend::coordinator::operations
