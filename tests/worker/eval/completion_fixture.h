// Completions in tests: states that differ from a base, listeners that write down what they hear,
// and what the same prompt says alone.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/eval/generate.h"
#include "tests/worker/model/model_fixture.h"
#include "worker/eval/completion_engine.h"

namespace emend::test {

inline StateId StateOf(int number) { return StateId(Sha256("state " + std::to_string(number))); }

// Base 0 is the model itself; in the others every down projection is changed, each in its own way,
// the same on any number of ranks.
class LiveStates {
 public:
  LiveStates(const worker::model::Transformer& base, int count) {
    for (int number = 0; number < count; ++number) {
      std::map<LayerIndex, at::Tensor> weights;
      for (std::int32_t i = 0; i < base.config().layers && number > 0; ++i) {
        const at::Tensor own = base.DownWeight(LayerIndex(i));
        const auto slice = base.Down(LayerIndex(i)).own;
        const at::Tensor noise =
            at::arange(base.config().intermediate * base.config().hidden, at::kFloat)
                .mul(0.37 * number + i)
                .sin();
        weights[LayerIndex(i)] = own.add(
            noise.view({base.config().intermediate, -1}).narrow(0, slice.begin, slice.size), 0.03);
      }
      states_[StateOf(number)] = base.WithDownWeights(weights);
    }
  }
  void Put(int number, std::shared_ptr<const worker::model::Transformer> model) {
    states_[StateOf(number)] = std::move(model);
  }
  void Drop(int number) { states_.erase(StateOf(number)); }
  const worker::model::Transformer& Model(int number) const { return *states_.at(StateOf(number)); }
  // How many hold the state besides this table.
  std::int64_t Holders(int number) const { return states_.at(StateOf(number)).use_count() - 1; }

  worker::eval::CompletionEngine::FindModel Finder() {
    return
        [this](const StateId& state) -> Result<std::shared_ptr<const worker::model::Transformer>> {
          const auto found = states_.find(state);
          if (found == states_.end())
            return Status(StatusCode::kFailedPrecondition, "state_not_live",
                          "state " + state.Short() + " is not live");
          return found->second;
        };
  }

 private:
  std::map<StateId, std::shared_ptr<const worker::model::Transformer>> states_;
};

// What a listener heard.
struct Heard {
  std::string text;
  std::vector<worker::eval::TokenLogprob> tokens;
  std::vector<std::string> pieces;
  std::optional<Result<worker::eval::CompletionEnd>> end;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);

  std::vector<worker::tokenizer::TokenId> ids() const {
    std::vector<worker::tokenizer::TokenId> all;
    for (const auto& token : tokens) all.push_back(token.token.id);
    return all;
  }
};

inline worker::eval::CompletionListener ListenerOf(const std::shared_ptr<Heard>& heard) {
  return {.on_piece =
              [heard](worker::eval::CompletionPiece piece) {
                EXPECT_FALSE(heard->end) << "a piece behind the end";
                heard->text += piece.text;
                heard->pieces.push_back(piece.text);
                heard->tokens.insert(heard->tokens.end(), piece.tokens.begin(), piece.tokens.end());
              },
          .on_end =
              [heard](const Result<worker::eval::CompletionEnd>& end) {
                EXPECT_FALSE(heard->end) << "a second end";
                heard->end = end;
              },
          .cancelled = heard->cancelled};
}

// Logarithms of the probabilities [tokens, vocabulary] after each token.
inline at::Tensor LogProbabilities(const worker::model::Transformer& model,
                                   const std::vector<worker::tokenizer::TokenId>& tokens) {
  const at::Tensor ids =
      at::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end()), at::kLong).unsqueeze(0);
  return at::log_softmax(Forward(model, ids)[0], -1, at::kDouble);
}

// The completion is what the model says alone: each token has the probability that the whole pass
// gives it, and is the likeliest one, or within the tolerance of it (a batch of another size rounds
// otherwise).
inline void ExpectGreedy(const worker::model::Transformer& model,
                         const std::vector<worker::tokenizer::TokenId>& prompt, const Heard& heard,
                         double tolerance = 1e-3) {
  std::vector<worker::tokenizer::TokenId> all = prompt;
  for (const auto& token : heard.tokens) all.push_back(token.token.id);
  const at::Tensor expected = LogProbabilities(model, all);
  bool is_clear = true;  // no choice so far was within the tolerance of another
  for (std::size_t i = 0; i < heard.tokens.size(); ++i) {
    const at::Tensor row = expected[static_cast<std::int64_t>(prompt.size() + i) - 1];
    const double own = row[heard.tokens[i].token.id].item<double>();
    EXPECT_NEAR(heard.tokens[i].token.logprob, own, tolerance);
    const at::Tensor best = std::get<0>(at::topk(row, 2));
    EXPECT_NEAR(own, best[0].item<double>(), tolerance) << "token " << i;
    is_clear = is_clear && best[0].item<double>() - best[1].item<double>() > tolerance;
  }
  const auto alone = worker::eval::GenerateTokens(
      model, prompt, {.max_tokens = static_cast<std::int64_t>(heard.tokens.size())});
  ASSERT_THAT(alone.status(), IsOk());
  if (is_clear) {
    EXPECT_EQ(heard.ids(), alone->tokens);
  }
}

}  // namespace emend::test
