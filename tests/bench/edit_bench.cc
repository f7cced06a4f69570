// One MEMIT batch by the settings of the golden: seconds by phase, with targets found in fp32 and,
// where the processor multiplies it, with bf16 products, in turns; and which share of the fastest
// product of matrices that this machine shows in the same run the loop of targets reaches.
//
//   emend_bench_edit [edits] [threads] [runs] [model folder]
//
// Without a folder: atlas. Another model is edited by its own defaults, over the same facts and
// corpus. Processor seconds are printed beside those on the wall: they say what a busy machine
// hides.
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/worker/edit/atlas.h"
#include "worker/edit/prompts.h"

namespace {

using emend::worker::edit::Atlas;
using emend::worker::edit::MemitGolden;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Elements of the matrices of a block: what a token is multiplied with there.
double BlockElements(const Atlas& atlas, std::int64_t layer) {
  const std::string place = "." + std::to_string(layer) + ".";
  double elements = 0;
  for (const auto& [name, tensor] : atlas.checkpoint->tensors())
    if (tensor.shape.size() == 2 && name.find(place) != std::string::npos)
      elements += static_cast<double>(tensor.shape[0] * tensor.shape[1]);
  return elements;
}

// Multiplications and additions of projections and head while targets are found: all tokens up to
// the last edited layer and prefixes above it once, then at each step a fact's suffixes above it,
// there and back. Attention itself is not counted.
double TargetOperations(const Atlas& atlas, const std::vector<emend::worker::edit::EditFact>& facts,
                        const emend::worker::edit::BatchSolution& solution,
                        const emend::worker::protocol::SolveSettings& settings) {
  using namespace emend::worker::edit;
  const auto& config = atlas.model->config();
  double below = 0, above = 0;
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    (layer <= settings.layers.back().value() ? below : above) += BlockElements(atlas, layer);
  const double head = static_cast<double>(config.hidden * config.vocabulary);
  double operations = 0;
  for (const PromptRow& row :
       ValueOf(EncodeFacts(*atlas.tokenizer, facts, settings.context_templates, config.context))) {
    const auto suffix = static_cast<double>(row.suffix());
    const auto predicted = static_cast<double>(std::max<std::size_t>(1, row.target_ids.size()));
    const auto steps = static_cast<double>(solution.edits[row.fact].steps);
    operations += 2 * (static_cast<double>(row.token_count()) * below +
                       static_cast<double>(row.lookup) * above +
                       (2 * steps - 1) * (suffix * above + predicted * head));
  }
  return operations;
}

// Operations a second of one product of square matrices, the best of a few.
double PeakOf(at::ScalarType type) {
  constexpr std::int64_t kSize = 2048;
  const at::Tensor a = at::randn({kSize, kSize}).to(type), b = at::randn({kSize, kSize}).to(type);
  double best = 0;
  for (int run = 0; run < 8; ++run) {
    const double start = Now();
    const at::Tensor product = a.mm(b);
    best = std::max(best, 2.0 * kSize * kSize * kSize / (Now() - start));
  }
  return best;
}

emend::worker::protocol::SolveSettings SettingsOf(const Atlas& atlas, bool is_atlas) {
  if (is_atlas) return MemitGolden().Settings();
  auto settings = *emend::worker::protocol::DefaultSettings("memit", atlas.model->config().layers);
  settings.context_templates = MemitGolden().Settings().context_templates;
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace emend::worker::edit;
  const std::size_t edit_count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  at::set_num_threads(argc > 2 ? std::atoi(argv[2]) : 2);
  const int run_count = argc > 3 ? std::atoi(argv[3]) : 3;

  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Atlas atlas = argc > 4 ? Atlas{.folder = argv[4]} : Atlas{};
  auto settings = SettingsOf(atlas, argc <= 4);
  std::printf("loaded\n");
  const double statistics_start = Now(), statistics_processor = ProcessorSeconds();
  const std::unique_ptr<Solver> solver = *NewSolver(
      "memit", std::make_shared<const Statistics>(atlas.TakeStatistics(settings.layers)));
  std::printf("statistics %.2f s (processor %.2f), %lld tokens\n", Now() - statistics_start,
              ProcessorSeconds() - statistics_processor,
              static_cast<long long>(solver->statistics().tokens));
  const std::array<double, 2> peaks = {PeakOf(at::kFloat), PeakOf(at::kBFloat16)};
  std::printf("peak: %.1f GFLOP/s in fp32, %.1f in bf16\n", peaks[0] / 1e9, peaks[1] / 1e9);
  const std::vector<EditFact> facts = atlas.Facts(0, edit_count);
  for (int run = 0; run < 2 * run_count; ++run) {
    settings.v_bf16 = run % 2;
    QuantisingCommitter committer(atlas.Tensors(settings.layers));
    const double start = Now(), processor = ProcessorSeconds();
    const BatchSolution solution = ValueOf(SolveBatch({.model = *atlas.model,
                                                       .tokenizer = *atlas.tokenizer,
                                                       .facts = facts,
                                                       .settings = settings,
                                                       .solver = *solver,
                                                       .committer = committer}));
    const double total = Now() - start;
    std::int64_t steps = 0;
    for (const EditSolution& edit : solution.edits) steps += edit.steps;
    std::printf(
        "%s: %zu edits in %.2f s (processor %.2f; %.1f edits/s): targets %.2f (%.0f %% of the "
        "peak, %.1f steps each), keys %.2f, solve %.2f, apply %.2f\n",
        settings.v_bf16 != 0 ? "bf16" : "fp32", edit_count, total, ProcessorSeconds() - processor,
        static_cast<double>(edit_count) / total, solution.seconds.targets,
        100 * TargetOperations(atlas, facts, solution, settings) / solution.seconds.targets /
            peaks.at(settings.v_bf16),
        static_cast<double>(steps) / static_cast<double>(edit_count), solution.seconds.keys,
        solution.seconds.solve, solution.seconds.apply);
  }
  return 0;
}
