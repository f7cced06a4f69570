// One MEMIT batch on atlas with the settings of the golden: seconds by phase, with targets found in
// fp32 and, where the processor multiplies it, with bf16 products, in turns.
//
// Processor seconds are printed beside those on the wall: they say what a busy machine hides.
//
//   emend_bench_edit [edits] [threads] [runs]
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/worker/edit/atlas.h"

int main(int argc, char** argv) {
  using namespace emend::worker::edit;
  const std::size_t edit_count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  at::set_num_threads(argc > 2 ? std::atoi(argv[2]) : 2);
  const int run_count = argc > 3 ? std::atoi(argv[3]) : 3;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto seconds_since = [&](auto start) {
    return std::chrono::duration<double>(now() - start).count();
  };

  const auto processor_seconds = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };

  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Atlas atlas;
  auto settings = MemitGolden().Settings();
  std::printf("loaded\n");
  const auto statistics_start = now();
  const double statistics_processor = processor_seconds();
  const std::unique_ptr<Solver> solver = *NewSolver(
      "memit", std::make_shared<const Statistics>(atlas.TakeStatistics(settings.layers)));
  std::printf("statistics %.2f s (processor %.2f), %lld tokens\n", seconds_since(statistics_start),
              processor_seconds() - statistics_processor,
              static_cast<long long>(solver->statistics().tokens));

  const std::vector<EditFact> facts = atlas.Facts(0, edit_count);
  for (int run = 0; run < 2 * run_count; ++run) {
    settings.v_bf16 = run % 2;
    QuantisingCommitter committer(atlas.Tensors(settings.layers));
    const auto start = now();
    const double processor = processor_seconds();
    const BatchSolution solution = ValueOf(SolveBatch({.model = *atlas.model,
                                                       .tokenizer = *atlas.tokenizer,
                                                       .facts = facts,
                                                       .settings = settings,
                                                       .solver = *solver,
                                                       .committer = committer}));
    const double total = seconds_since(start);
    std::printf(
        "%s: %zu edits in %.2f s (processor %.2f; %.1f edits/s): targets %.2f, keys %.2f, solve "
        "%.2f, apply %.2f\n",
        settings.v_bf16 != 0 ? "bf16" : "fp32", edit_count, total, processor_seconds() - processor,
        static_cast<double>(edit_count) / total, solution.seconds.targets, solution.seconds.keys,
        solution.seconds.solve, solution.seconds.apply);
  }
  return 0;
}
