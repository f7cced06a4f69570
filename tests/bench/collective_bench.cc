// Latency and bandwidth of the collectives between ranks on this machine, beside a copy of the same
// bytes in memory.
//
//   emend_bench_collective [ranks]
//       # over TCP; ranks are threads
//   python3 tests/gpu/ranks.py 2 build/bin/emend_bench_collective
//       # over NCCL; ranks are processes, on GPUs
//
// "GB/s" is payload over time; "of copy" says how much of the memory's own speed that is.
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/worker/collective/process_rank.h"
#include "tests/worker/collective/rank_group.h"
#include "worker/model/memory.h"

namespace emend::worker::collective {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRuns = 9;

// Median seconds of one call over some batches of calls.
template <typename Act>
double MedianSeconds(int calls, const Act& act) {
  std::vector<double> seconds;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = Clock::now();
    for (int call = 0; call < calls; ++call) act();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / calls);
  }
  std::ranges::nth_element(seconds, seconds.begin() + kRuns / 2);
  return seconds[kRuns / 2];
}

struct Operation {
  const char* name;
  void (*act)(Communicator&, at::Tensor&);
};
const Operation kOperations[] = {
    {"all_reduce",
     [](Communicator& ranks, at::Tensor& tensor) {
       EMEND_CHECK(ranks.AllReduceSum(tensor).ok(), "all_reduce failed");
     }},
    {"broadcast",
     [](Communicator& ranks, at::Tensor& tensor) {
       EMEND_CHECK(ranks.Broadcast(tensor, 0).ok(), "broadcast failed");
     }},
    {"all_gather",
     [](Communicator& ranks, at::Tensor& tensor) {
       EMEND_CHECK(ranks.AllGather(tensor).ok(), "all_gather failed");
     }},
};

void Measure(Communicator& ranks, at::Device device) {
  for (const std::int64_t bytes : {8L, 4096L, 1L << 20, 16L << 20, 64L << 20}) {
    at::Tensor tensor = at::zeros({bytes / 4}, at::TensorOptions(at::kFloat).device(device));
    const at::Tensor source = at::ones_like(tensor);
    const int calls = static_cast<int>(std::clamp<std::int64_t>((8L << 20) / bytes, 1, 200));
    const double copy = MedianSeconds(calls, [&] {
      tensor.copy_(source);
      // waits for it, as a collective does
      if (!device.is_cpu()) static_cast<void>(tensor.select(0, 0).item<float>());
    });
    for (const Operation& operation : kOperations) {
      tensor.zero_();
      EMEND_CHECK(ranks.Barrier().ok(), "the ranks are not in step");
      const double seconds = MedianSeconds(calls, [&] { operation.act(ranks, tensor); });
      if (ranks.rank() != 0) continue;
      std::printf("%5d  %-10s  %10ld  %10.1f  %7.3f  %6.1f %%\n", ranks.size(), operation.name,
                  bytes, seconds * 1e6, static_cast<double>(bytes) / seconds / 1e9,
                  100 * copy / seconds);
    }
  }
}

}  // namespace
}  // namespace emend::worker::collective

int main(int argc, char** argv) {
  using namespace emend::worker::collective;
  emend::worker::model::KeepFreedMemory();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const char* const kHeader = "ranks  operation        bytes          us     GB/s   of copy\n";
  const std::vector<int> sizes =
      argc > 1 ? std::vector<int>{std::atoi(argv[1])} : std::vector<int>{2, 4};
  if (auto process = emend::test::ProcessRank::FromEnvironment()) {
    const auto ranks = process->Join();
    if (ranks->rank() == 0) std::printf("%s", kHeader);
    Measure(*ranks, process->device());
    return 0;
  }
  std::printf("%s", kHeader);
  for (const int ranks : sizes)
    emend::test::OnEachRank(ranks,
                            [](Communicator& communicator) { Measure(communicator, at::kCPU); });
  return 0;
}
