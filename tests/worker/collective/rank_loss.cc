// A rank is killed in the middle of an all-reduce; the others must be told within seconds, by name.
// Started by tests/gpu/ranks.py, which also sees that the last rank was killed and the others ended
// well.
//
//   python3 tests/gpu/ranks.py --device cpu --killed 2 3 build/bin/emend_test_rank_loss
#include <ATen/ATen.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "tests/worker/collective/process_rank.h"

namespace emend::worker::collective {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCallTimeout{120};
constexpr std::chrono::seconds kNoticedWithin{10};
constexpr std::chrono::milliseconds kKilledAfter{700};

int Main() {
  auto process = test::ProcessRank::FromEnvironment();
  EMEND_CHECK(process.has_value(), "tests/gpu/ranks.py starts this program");
  const auto communicator = process->Join(kCallTimeout);
  at::Tensor tensor =
      at::ones({std::int64_t{4} << 20}, at::TensorOptions(at::kFloat).device(process->device()));
  EMEND_CHECK(communicator->AllReduceSum(tensor).ok(), "the group does not work to begin with");
  std::thread killing;
  if (communicator->rank() + 1 == communicator->size()) {
    killing = std::thread([] {
      std::this_thread::sleep_for(kKilledAfter);
      kill(getpid(), SIGKILL);
    });
  }
  while (true) {
    const auto begin = Clock::now();
    const Status status = communicator->AllReduceSum(tensor);
    if (status.ok()) continue;
    const std::chrono::duration<double> took = Clock::now() - begin;
    std::printf("rank %d was told after %.2f s: %s\n", communicator->rank(), took.count(),
                status.ToString().c_str());
    return status.slug() == "group_lost" && took < kNoticedWithin ? 0 : 1;
  }
}

}  // namespace
}  // namespace emend::worker::collective

int main() { return emend::worker::collective::Main(); }
