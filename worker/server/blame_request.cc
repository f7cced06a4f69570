// Where an answer comes from.
#include <algorithm>
#include <numeric>
#include <vector>

#include "worker/edit/influence.h"
#include "worker/eval/prompt_answer.h"
#include "worker/server/reports.h"

namespace emend::worker::server {
namespace {

// What the model reads of a prompt and its answer.
std::vector<tokenizer::TokenId> TokensRead(const eval::PromptAnswer& said) {
  std::vector<tokenizer::TokenId> tokens = said.prompt;
  tokens.insert(tokens.end(), said.answer.begin(), said.answer.end() - 1);
  return tokens;
}

// Indices of those with most influence, most first.
std::vector<std::size_t> Foremost(const std::vector<double>& influences, std::uint64_t count) {
  std::vector<std::size_t> order(influences.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return influences[i]; });
  order.resize(std::min<std::size_t>(order.size(), count));
  return order;
}

std::vector<LayerIndex> ChangedLayers(const LiveState& state) {
  std::vector<LayerIndex> layers;
  for (const auto& [layer, weight] : state.weights) layers.push_back(layer);
  return layers;
}

}  // namespace

Result<protocol::BlameReply> Run(const protocol::Blame& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  const model::Transformer& model = base->ModelOf(*state);
  EMEND_ASSIGN_OR_RETURN(
      const eval::PromptAnswer said,
      request.answer
          ? eval::GivenAnswer(model, base->tokenizer(), request.prompt, *request.answer)
          : eval::AnswerGreedily(model, base->tokenizer(), request.prompt, request.tokens_max));
  protocol::BlameReply reply;
  reply.answer = said.text;
  EMEND_ASSIGN_OR_RETURN(reply.log_probability, eval::LogProbability(model, said));
  EMEND_ASSIGN_OR_RETURN(reply.log_probability_base,
                         eval::LogProbability(base->base_model(), said));
  EMEND_ASSIGN_OR_RETURN(
      const std::vector<double> influences,
      edit::InfluencesOn(model, TokensRead(said), state->deltas, EditProgress(context)));
  const std::vector<std::size_t> foremost = Foremost(influences, request.candidates);
  EMEND_ASSIGN_OR_RETURN(const LiveBase::ParentTensors sums,
                         base->ParentOf(*state, ChangedLayers(*state)));
  const eval::ProgressFunction progress = EvalProgress(context, "blame");
  for (std::size_t i = 0; i < foremost.size(); ++i) {
    EMEND_RETURN_IF_ERROR(
        progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(foremost.size())));
    const std::size_t edit = foremost[i];
    EMEND_ASSIGN_OR_RETURN(const auto without, base->Without(*state, sums, *state->deltas[edit]));
    EMEND_ASSIGN_OR_RETURN(const double left, eval::LogProbability(*without, said));
    reply.edits.push_back({state->edits[edit], influences[edit], left});
  }
  return reply;
}

}  // namespace emend::worker::server
