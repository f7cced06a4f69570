// Tokens a second of the completion engine with 1, 4 and 16 completions at once, beside the same
// requests one after the other by eval::Generate. Each is run five times in turns: medians, and the
// least and the greatest of the five ratios. Run from the checkout.
//
//   emend_bench_completions [tokens of each] [states]                     # 64 and 1
//
// Greedy, prompts of CounterFact, on atlas without its end of text, which would end its answers
// after a token or two.
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/generate.h"
#include "worker/eval/completion_engine.h"
#include "worker/model/memory.h"

namespace emend::bench {
namespace {

using namespace worker::eval;
using worker::model::Transformer;
using worker::tokenizer::TokenId;

constexpr int kTurns = 5;

struct Request {
  StateId state;
  std::vector<TokenId> prompt;
};
using States = std::map<StateId, std::shared_ptr<const Transformer>>;

struct Run {
  double seconds = 0;
  std::int64_t tokens = 0;
  double rate() const { return static_cast<double>(tokens) / seconds; }
};

template <typename Work>
Run Timed(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t tokens = work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), tokens};
}

std::int64_t OneAfterTheOther(const States& states, const std::vector<Request>& requests,
                              std::int64_t tokens) {
  std::int64_t drawn = 0;
  for (const Request& request : requests) {
    const auto generation =
        GenerateTokens(*states.at(request.state), request.prompt, {.max_tokens = tokens});
    EMEND_CHECK(generation.ok(), generation.status().ToString());
    drawn += static_cast<std::int64_t>(generation->tokens.size());
  }
  return drawn;
}

std::int64_t AllAtOnce(const test::Atlas& atlas, const States& states,
                       const std::vector<Request>& requests, std::int64_t tokens) {
  const auto find = [&](const StateId& state) -> Result<std::shared_ptr<const Transformer>> {
    return states.at(state);
  };
  CompletionEngine engine(*atlas.model, *atlas.tokenizer, find, {});
  std::int64_t drawn = 0;
  for (const Request& request : requests) {
    const Status added = engine.Add(
        {.state = request.state,
         .prompt = request.prompt,
         .tokens_max = tokens,
         .sampling = {.temperature = 0},
         .stop = {},
         .logprobs = {}},
        {.on_piece = [](const CompletionPiece&) {},
         .on_end =
             [&](const Result<CompletionEnd>& end) { drawn += end.value().completion_tokens; },
         .cancelled = nullptr});
    EMEND_CHECK(added.ok(), added.ToString());
  }
  while (*engine.Step()) {
  }
  return drawn;
}

test::Atlas EndlessAtlas() {
  test::TemporaryFolder folder;
  nlohmann::json config = nlohmann::json::parse(std::ifstream(test::kAtlas + "/model/config.json"));
  config.erase("eos_token_id");
  std::ofstream(folder.path() + "/config.json") << config;
  std::filesystem::copy(test::kAtlas + "/model/model.safetensors", folder.path());
  test::Atlas atlas = test::LoadAtlas();
  const auto checkpoint = storage::checkpoint::Checkpoint::Open(folder.path());
  EMEND_CHECK(checkpoint.ok(), checkpoint.status().ToString());
  auto model = Transformer::Load(**checkpoint, *atlas.communicator);
  EMEND_CHECK(model.ok(), model.status().ToString());
  atlas.model = std::move(*model);
  return atlas;
}

void Compare(const test::Atlas& atlas, const States& states, const std::vector<Request>& requests,
             std::int64_t tokens) {
  std::vector<double> alone, batched, ratios;
  for (int turn = 0; turn < kTurns; ++turn) {
    const Run a = Timed([&] { return OneAfterTheOther(states, requests, tokens); });
    const Run b = Timed([&] { return AllAtOnce(atlas, states, requests, tokens); });
    EMEND_CHECK(a.tokens == b.tokens, "an endless model drew another number of tokens");
    alone.push_back(a.rate());
    batched.push_back(b.rate());
    ratios.push_back(b.rate() / a.rate());
  }
  for (std::vector<double>* values : {&alone, &batched, &ratios}) std::ranges::sort(*values);
  std::printf(
      "%2zu rows: one after the other %7.1f tokens/s, at once %7.1f tokens/s, %5.2f times (%.2f to "
      "%.2f)\n",
      requests.size(), alone[kTurns / 2], batched[kTurns / 2], ratios[kTurns / 2], ratios.front(),
      ratios.back());
}

void Measure(std::int64_t tokens, std::size_t state_count) {
  const test::Atlas atlas = EndlessAtlas();
  States states;
  std::vector<StateId> ids;
  for (std::size_t i = 0; i < state_count; ++i) {
    ids.emplace_back(Sha256("state " + std::to_string(i)));
    const LayerIndex layer(2);
    const at::Tensor weight = atlas.model->DownWeight(layer);
    states[ids.back()] =
        atlas.model->WithDownWeights({{layer, weight.add(at::randn(weight.sizes()), 1e-3)}});
  }
  const auto facts = test::AtlasFacts(16);
  for (const std::size_t rows : {1, 4, 16}) {
    std::vector<Request> requests;
    for (std::size_t row = 0; row < rows; ++row) {
      Request request{.state = ids[row % state_count], .prompt = {}};
      const auto tokens_of_prompt = atlas.tokenizer->Encode(facts[row].prompt);
      EMEND_CHECK(tokens_of_prompt.ok(), tokens_of_prompt.status().ToString());
      for (const auto& token : *tokens_of_prompt) request.prompt.push_back(token.id);
      requests.push_back(std::move(request));
    }
    Compare(atlas, states, requests, tokens);
  }
}

}  // namespace
}  // namespace emend::bench

int main(int argc, char** argv) {
  emend::worker::model::KeepFreedMemory();
  emend::bench::Measure(argc > 1 ? std::atol(argv[1]) : 64,
                        argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  return 0;
}
