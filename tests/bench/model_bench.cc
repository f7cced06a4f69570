// How fast the demo model runs: forward and backward passes of the shapes that editing uses,
// scoring of facts, generation. Run from the checkout.
//
//   build/bin/emend_bench_model [--benchmark_filter=...]
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/generate.h"
#include "worker/model/memory.h"

namespace emend::test {
namespace {

using worker::model::BlockHalf;
using worker::model::PastKeyValues;
using worker::model::Transformer;

const Atlas& SharedAtlas() {
  static const Atlas atlas = LoadAtlas();
  return atlas;
}

at::Tensor Blocks(const Transformer& model, at::Tensor hidden, const at::Tensor& positions,
                  const PastKeyValues* past) {
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    hidden = model.Finish(
        LayerIndex(layer),
        model.Attend(LayerIndex(layer),
                     {.hidden = hidden, .positions = positions, .mask = {}, .past = past}));
  }
  return hidden;
}

// rows × tokens, all blocks, no logits.
void BM_Forward(benchmark::State& state) {
  const c10::AutoGradMode no_grad(false);
  const Transformer& model = *SharedAtlas().model;
  const at::Tensor ids =
      at::randint(model.config().vocabulary, {state.range(0), state.range(1)}, at::kLong);
  const at::Tensor positions = at::arange(state.range(1), at::kLong).expand(ids.sizes());
  for (auto step : state)
    benchmark::DoNotOptimize(Blocks(model, model.Embed(ids, positions), positions, nullptr));
  state.SetItemsProcessed(state.iterations() * ids.numel());
}
BENCHMARK(BM_Forward)
    ->Args({128, 16})
    ->Args({700, 16})
    ->Args({8, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// As a target's optimisation does: a few tokens after a constant past, gradient of the input. rows
// × tokens × past.
void BM_ForwardBackward(benchmark::State& state) {
  const Transformer& model = *SharedAtlas().model;
  const auto& config = model.config();
  const std::int64_t rows = state.range(0), tokens = state.range(1), past_tokens = state.range(2);
  const at::Tensor positions =
      at::arange(past_tokens, past_tokens + tokens, at::kLong).expand({rows, tokens});
  const std::vector<std::int64_t> past_shape = {rows, config.kv_heads, past_tokens,
                                                config.head_dim};
  const PastKeyValues past{.keys = at::randn(past_shape), .values = at::randn(past_shape)};
  const at::Tensor hidden = at::randn({rows, tokens, config.hidden}).requires_grad_(true);
  for (auto step : state)
    benchmark::DoNotOptimize(
        torch::autograd::grad({Blocks(model, hidden, positions, &past).sum()}, {hidden}));
  state.SetItemsProcessed(state.iterations() * rows * tokens);
}
BENCHMARK(BM_ForwardBackward)
    ->Args({100, 5, 12})
    ->Args({700, 5, 12})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// CounterFact's metrics over the first 100 records: 1,300 prompts with two targets each. Items are
// prompts.
void BM_EvaluateFacts(benchmark::State& state) {
  const Atlas& atlas = SharedAtlas();
  const std::vector<worker::eval::EvalFact> facts = AtlasFacts(100);
  std::int64_t prompts = 0;
  for (auto step : state) {
    const auto report = worker::eval::EvaluateFacts(*atlas.model, *atlas.tokenizer, facts,
                                                    {.tokens_max = state.range(0)});
    EMEND_CHECK(report.ok(), report.status().ToString());
    prompts = report->prompts;
  }
  state.counters["distinct_prompts"] = static_cast<double>(prompts);
  state.SetItemsProcessed(state.iterations() * 1300);
}
BENCHMARK(BM_EvaluateFacts)
    ->Arg(512)
    ->Arg(1024)
    ->Arg(2048)
    ->Arg(4096)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void BM_Generate(benchmark::State& state) {
  const Atlas& atlas = SharedAtlas();
  for (auto step : state) {
    const auto answer =
        worker::eval::Generate(*atlas.model, *atlas.tokenizer,
                               "Wanne-Eickel Central Station, located in", {.max_tokens = 64});
    EMEND_CHECK(answer.ok(), answer.status().ToString());
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(BM_Generate)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace emend::test

int main(int argc, char** argv) {
  emend::worker::model::KeepFreedMemory();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
