// The faults of the fleet simulation.
#include "tests/sim/fleet_sim.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using worker::protocol::Envelope;
using worker::protocol::ReplyBody;
using worker::protocol::Response;
using worker::protocol::SampleTextsReply;

constexpr auto kWorkUsual = 150ms;
constexpr std::uint64_t kPauseMax = 900;          // milliseconds between two faults
constexpr std::uint64_t kLastsMax = 8000;         // milliseconds
constexpr std::uint64_t kCoordinatorEvery = 100;  // faults
constexpr std::uint64_t kOldFrames = 4;

}  // namespace

Awaitable<int> FleetSimulation::MakeFaults() {
  while (left_ > 0) {
    co_await Sleep(cluster_.sim(), std::chrono::milliseconds(faults_.Below(kPauseMax)));
    if (faults_.Below(kCoordinatorEvery) == 0) {
      co_await StopCoordinator();
    } else {
      MakeFault(faults_.Below(cluster_.workers()));
    }
  }
  for (std::size_t i = 0; i < cluster_.workers(); ++i) Recover(i);
  co_return 0;
}

Awaitable<int> FleetSimulation::StopCoordinator() {
  const auto pause = std::chrono::milliseconds(faults_.Below(3000));
  const bool is_killed = faults_.Below(2) == 0;
  cluster_.sim().Record(is_killed ? "coordinator is killed" : "coordinator stops");
  ++counts_[is_killed ? "fault: coordinator killed" : "fault: coordinator stopped"];
  if (is_killed) co_await cluster_.KillFor(pause);
  if (!is_killed) co_await cluster_.RestartAfter(pause);
  counts_["operations taken up again"] +=
      storage::records::ListUnfinished(cluster_.store())->size();
  co_return 0;
}

void FleetSimulation::MakeFault(std::size_t victim) {
  SimCluster::Node& node = cluster_.worker(victim);
  const auto note = [this](const char* what) { ++counts_[std::string("fault: ") + what]; };
  switch (faults_.Below(7)) {
    case 0:
      note("worker dies");
      node.model.Forget();
      node.worker->Die();
      return;
    case 1:
      note("connection cut");
      cluster_.network().Cut(node.name);
      return;
    case 2:
      note("partition");
      cluster_.network().Partition(node.name);
      break;
    case 3:
      note("mute");
      node.worker->SetVoice(FakeWorker::Voice::kMute);
      break;
    case 4:
      note("slow");
      node.worker->SetWork(std::chrono::milliseconds(300 + faults_.Below(3000)));
      break;
    case 5:
      note("frames of an older generation");
      repeats_.push_back(cluster_.sim().Begin(SendOldFrames(victim)));
      return;
    default:
      if (node.world_size == 1) return;
      note("group lost");
      node.worker->LoseGroup();
      return;
  }
  repeats_.push_back(cluster_.sim().Begin(RecoverLater(victim)));
}

Awaitable<int> FleetSimulation::RecoverLater(std::size_t victim) {
  co_await Sleep(cluster_.sim(), std::chrono::milliseconds(500 + faults_.Below(kLastsMax)));
  Recover(victim);
  co_return 0;
}

void FleetSimulation::Recover(std::size_t victim) {
  SimCluster::Node& node = cluster_.worker(victim);
  cluster_.network().Heal(node.name);
  node.worker->SetVoice(FakeWorker::Voice::kHeard);
  node.worker->SetWork(kWorkUsual);
}

// Answers to what it was asked last, of a life that is over: whoever took them would say what no
// state says.
Awaitable<int> FleetSimulation::SendOldFrames(std::size_t victim) {
  FakeWorker& worker = *cluster_.worker(victim).worker;
  const std::uint64_t last = worker.last_request();
  for (std::uint64_t id = last < kOldFrames ? 1 : last - kOldFrames + 1; id <= last + kOldFrames;
       ++id) {
    if (!worker.joined()) co_return 0;
    Envelope envelope{worker.store_epoch(), worker.generation() - 1,
                      Response{.id = id,
                               .status = OkStatus(),
                               .body = ReplyBody(SampleTextsReply{{"of an older life"}, 1, {}})}};
    // It may be lost meanwhile: then so are they.
    static_cast<void>(co_await worker.SendRaw(std::move(envelope)));
  }
  co_return 0;
}

}  // namespace emend::test
