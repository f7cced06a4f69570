#include "worker/server/solve_messages.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>

namespace emend::worker::server {
namespace {

std::map<std::string, double> SecondsOf(const edit::BatchSeconds& seconds) {
  return {{"targets", seconds.targets},
          {"keys", seconds.keys},
          {"solve", seconds.solve},
          {"apply", seconds.apply}};
}

}  // namespace

std::vector<edit::EditFact> FactsOf(const std::vector<protocol::SolveFact>& facts) {
  std::vector<edit::EditFact> edit_facts;
  for (const protocol::SolveFact& fact : facts)
    edit_facts.push_back({fact.prompt, fact.subject, fact.target, fact.join, fact.name});
  return edit_facts;
}

std::vector<protocol::SolvedTarget> TargetsOf(const edit::Targets& found) {
  std::vector<protocol::SolvedTarget> targets;
  const auto width = static_cast<std::size_t>(found.values.size(1)) * sizeof(float);
  const char* bytes = reinterpret_cast<const char*>(found.values.const_data_ptr<float>());
  for (std::size_t fact = 0; fact < found.steps.size(); ++fact) {
    targets.push_back({std::string(bytes + fact * width, width),
                       static_cast<std::int32_t>(found.steps[fact]), found.losses[fact]});
  }
  return targets;
}

Result<edit::Targets> GivenTargets(const std::vector<protocol::SolvedTarget>& given,
                                   std::size_t fact_count, std::int64_t hidden) {
  edit::Targets targets;
  if (given.empty()) return targets;
  if (given.size() != fact_count) {
    return InvalidArgument("solving with given targets: found " + std::to_string(given.size()) +
                           " of them for " + std::to_string(fact_count) + " facts");
  }
  targets.values = at::empty({static_cast<std::int64_t>(fact_count), hidden}, at::kFloat);
  const std::size_t width = static_cast<std::size_t>(hidden) * sizeof(float);
  char* bytes = reinterpret_cast<char*>(targets.values.mutable_data_ptr<float>());
  for (const protocol::SolvedTarget& target : given) {
    if (target.values.size() != width) {
      return InvalidArgument("solving with given targets: found one of " +
                             std::to_string(target.values.size()) + " bytes, expected " +
                             std::to_string(width));
    }
    std::memcpy(bytes, target.values.data(), width);
    bytes += width;
    targets.steps.push_back(target.steps);
    targets.losses.push_back(target.loss);
  }
  return targets;
}

protocol::SolveReply ReplyOf(const edit::BatchSolution& solution) {
  protocol::SolveReply reply;
  for (const edit::EditSolution& edit : solution.edits) {
    reply.edits.push_back({storage::delta::EncodePayload(edit.delta),
                           storage::delta::EncodePayload(edit.keys),
                           storage::delta::EncodePayload(edit.target),
                           static_cast<std::int32_t>(edit.steps), edit.loss});
  }
  for (const edit::LayerOutcome& layer : solution.layers)
    reply.layers.push_back({layer.layer.value(), layer.tensor, layer.update_norm, layer.weight_norm,
                            layer.leverage, layer.weight, static_cast<std::uint64_t>(layer.experts),
                            static_cast<std::uint64_t>(layer.changed),
                            static_cast<std::uint64_t>(layer.frozen)});
  reply.seconds = SecondsOf(solution.seconds);
  return reply;
}

}  // namespace emend::worker::server
