// Membership: which workers there are, whether they live, and how to call them.
//
// Workers dial in, prove the token, and are welcomed into their group with a generation that is
// persisted before it is used. Both sides send heartbeats; three of them missed, a closed
// connection or an exited process is a loss: the generation rises, calls under way on that group
// end with kUnavailable ("worker_lost"), and the caller retries whole. Frames of an older (store
// epoch, generation) are dropped and counted.
//
//   EMEND_CO_ASSIGN_OR_RETURN(const WorkerId worker, co_await membership.Pick({.base = base,
//       .state = state}, deadline));
//   // named, not temporary: storage/base/runtime.h says why
//   RequestBody request = Solve{...};
//   CallOptions options{.worker = worker, .timeout = 10min, .on_progress = Show};
//   EMEND_CO_ASSIGN_OR_RETURN(ReplyBody reply, co_await membership.Call(std::move(request),
//       std::move(options)));
//
// A group of several ranks is formed when all are connected, and is called through its rank 0. When
// it loses one, what is under way on it ends the same way, and it forms again, under the next
// generation, once all ranks are there.
//
// Used on the runtime's executor only. Bounds: calls under way on a worker as its lanes are wide
// (worker/protocol/request_table.h), kQueueMax waiting in each (beyond: kResourceExhausted).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/runtime.h"
#include "worker/protocol/connection.h"

namespace emend::coordinator::membership {

inline constexpr std::size_t kQueueMax = 256;

struct MembershipOptions {
  std::string token;  // what workers must present
  std::uint64_t store_epoch = 0;
  std::chrono::milliseconds heartbeat{500};
  // a worker that has not ended a cancelled call by then is lost
  std::chrono::milliseconds cancel_patience{60'000};
  // Persists the group's new generation; it is used only after this returned ok. Runs on the pool.
  std::function<Status(const std::string& group, std::uint64_t generation)> persist_generation;
  std::map<std::string, std::uint64_t> generations;  // as persisted by earlier runs
};

// Stored and shown: never renumber.
enum class WorkerState : std::uint8_t { kConnected = 1, kLost = 2 };

struct WorkerInfo {
  WorkerId worker;
  std::string group;
  std::int32_t rank = 0;
  std::int32_t world_size = 1;  // ranks of the group
  std::string device;
  std::string peer;
  WorkerState state = WorkerState::kConnected;
  bool serves = false;  // takes calls: alone, or as rank 0 of a group that is formed
  std::uint64_t process_id = 0;
  std::uint64_t generation = 0;
  std::int64_t last_heard_ms_ago = 0;
  std::uint64_t calls = 0;
  std::uint64_t stale_frames = 0;      // dropped because of an old epoch or generation
  worker::protocol::MemoryUse memory;  // as last reported
};

// For what a worker is picked.
struct Wanted {
  BaseId base;
  StateId state;
};

struct CallOptions {
  WorkerId worker = {};  // from Pick; empty: any
  std::chrono::milliseconds timeout{60'000};
  std::function<void(const worker::protocol::Progress&)> on_progress = {};  // may be empty
  // of a Complete; may be empty
  std::function<void(const worker::protocol::Piece&)> on_piece = {};
  // set: the call ends with kCancelled, and the worker is told
  Signal* cancel = nullptr;
};

class Membership {
 public:
  virtual ~Membership() = default;
  // Listens at `address` ("127.0.0.1:0"); kUnavailable if it cannot.
  virtual Status Start(const std::string& address) = 0;
  // Ends every call with kCancelled and joins every coroutine.
  virtual Awaitable<void> Stop() = 0;
  virtual std::string address() const = 0;

  // Waits for a living worker; kDeadlineExceeded says which workers were seen and when.
  virtual Awaitable<Status> WaitForWorker(SteadyTime deadline) = 0;
  // The worker to use for a state of a base: the one picked last for it if it lives, has not loaded
  // another base since, and none is much less busy; else the one with the fewest calls waiting,
  // where to displace another base counts as several, and as far more while work on it is under
  // way. Waits for one to come until the deadline: kUnavailable ("no_worker").
  virtual Awaitable<Result<WorkerId>> Pick(Wanted wanted, SteadyTime deadline) = 0;
  // Those that have nothing to do, and hold this base or none. Others may ask them at any time.
  virtual std::vector<WorkerId> Spare(const BaseId& base) const = 0;
  // Runs a request on that worker: kUnavailable ("worker_lost") if it is gone or goes meanwhile.
  // Without one, on the one with the fewest calls waiting, as Pick chooses for a new state.
  virtual Awaitable<Result<worker::protocol::ReplyBody>> Call(worker::protocol::RequestBody request,
                                                              CallOptions options) = 0;
  virtual std::vector<WorkerInfo> Workers() const = 0;
};

// Whether this is what the ranks of a group say when they have lost each other.
bool IsGroupLoss(const Status& status);

// Those of `workers` that take calls.
std::vector<WorkerInfo> Serving(std::vector<WorkerInfo> workers);

// `runtime` and `transport` must outlive it.
std::unique_ptr<Membership> NewMembership(Runtime& runtime, worker::protocol::Transport& transport,
                                          MembershipOptions options);

}  // namespace emend::coordinator::membership
