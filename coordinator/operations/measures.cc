#include "coordinator/operations/measures.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "coordinator/operations/commit_plan.h"

namespace emend::coordinator::operations {

using nlohmann::ordered_json;
using storage::objects::Fact;

worker::protocol::Evaluate EvaluationOf(const BaseId& base, const StateId& state,
                                        const std::vector<Fact>& facts,
                                        const std::vector<std::size_t>& rows) {
  worker::protocol::Evaluate request{base, state, {}};
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const Fact& fact = facts[i];
    request.facts.push_back({fact.prompt, fact.subject, fact.target, fact.old_target,
                             fact.paraphrases, fact.neighbours, fact.join,
                             rows.empty() ? "" : FactName(rows[i] - 1)});
  }
  return request;
}

storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply) {
  return {reply.records, reply.es,        reply.ps,        reply.ns,
          reply.score,   reply.es_argmax, reply.ps_argmax, reply.ns_argmax};
}

ordered_json MeasuresJson(const storage::objects::Evaluation& measured) {
  ordered_json json;
  json["n"] = measured.records;
  // What was not measured is NaN, which is written as null.
  json["es"] = measured.es;
  json["ps"] = measured.ps;
  json["ns"] = measured.ns;
  json["score"] = measured.score;
  json["es_argmax"] = measured.es_argmax;
  json["ps_argmax"] = measured.ps_argmax;
  json["ns_argmax"] = measured.ns_argmax;
  return json;
}

ordered_json LocatedJson(const CommitId& commit, const StateId& state) {
  return {{"commit", commit.Hex()}, {"state", state.Hex()}};
}

ordered_json LeftOutJson(const storage::checkpoint::LeftOut& left_out) {
  ordered_json json = ordered_json::array();
  for (const auto& [name, why] : left_out) json.push_back({{"name", name}, {"why", why}});
  return json;
}

double Milliseconds(double seconds) { return std::round(seconds * 1000) / 1000; }

}  // namespace emend::coordinator::operations
