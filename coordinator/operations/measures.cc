#include "coordinator/operations/measures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "coordinator/operations/commit_plan.h"

namespace emend::coordinator::operations {

using nlohmann::ordered_json;
using storage::objects::Fact;
using worker::protocol::Evaluate;
using worker::protocol::EvaluateReply;
using worker::protocol::FactAnswer;

Evaluate EvaluationOf(const BaseId& base, const StateId& state, const std::vector<Fact>& facts,
                      const std::vector<std::size_t>& rows) {
  Evaluate request{base, state, {}};
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const Fact& fact = facts[i];
    request.facts.push_back({fact.prompt, fact.subject, fact.target, fact.old_target,
                             fact.paraphrases, fact.neighbours, fact.join,
                             rows.empty() ? "" : FactName(rows[i] - 1)});
  }
  return request;
}

ordered_json NeighbourTargetsJson(const std::vector<Fact>& facts,
                                  const std::vector<std::size_t>& rows, const EvaluateReply* before,
                                  const EvaluateReply& after) {
  std::vector<ordered_json> changed, others;
  std::size_t index = 0;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    for (const auto& [prompt, target] : facts[i].neighbours) {
      if (target.empty()) continue;
      const FactAnswer& now = after.neighbour_targets[index];
      const FactAnswer& then = before != nullptr ? before->neighbour_targets[index] : now;
      ++index;
      ordered_json& said =
          (then.taken != now.taken ? changed : others)
              .emplace_back(ordered_json{{"row", rows[i]}, {"prompt", prompt}, {"target", target}});
      said["said"] = now.taken;
      if (before == nullptr) {
        said["probability"] = now.probability;
        continue;
      }
      said["said_before"] = then.taken;
      said["before"] = then.probability;
      said["after"] = now.probability;
    }
  }
  ordered_json json;
  if (index == 0) return json;
  json = {{"n", index}, {"said", TakenOf(after.neighbour_targets)}};
  if (before != nullptr) json["said_before"] = TakenOf(before->neighbour_targets);
  changed.insert(changed.end(), others.begin(), others.end());
  changed.resize(std::min(changed.size(), kNeighboursNamedMax));
  json["neighbours"] = std::move(changed);
  return json;
}

Status CheckAnswers(const Evaluate& asked, const EvaluateReply& reply) {
  std::size_t targets = 0;
  for (const auto& fact : asked.facts) {
    targets += static_cast<std::size_t>(
        std::ranges::count_if(fact.neighbours, [](const auto& n) { return !n.target.empty(); }));
  }
  if (reply.facts.size() == asked.facts.size() && reply.neighbour_targets.size() == targets)
    return OkStatus();
  return Internal("a worker was asked about " + std::to_string(asked.facts.size()) +
                  " facts and the targets of " + std::to_string(targets) +
                  " neighbours, and answered about " + std::to_string(reply.facts.size()) +
                  " and " + std::to_string(reply.neighbour_targets.size()));
}

std::size_t TakenOf(const std::vector<FactAnswer>& answers) {
  return static_cast<std::size_t>(std::ranges::count(answers, true, &FactAnswer::taken));
}

storage::objects::Evaluation ToEvaluation(const EvaluateReply& reply) {
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
