// WorkerPool: the workers that take calls: pick one, call it. What jobs and answers see of the
// membership (membership.h).
//
//   EMEND_CO_ASSIGN_OR_RETURN(const WorkerId worker, co_await pool.Pick({.base = base,
//       .state = state}, deadline));
//   // named, not temporary: storage/base/runtime.h says why
//   RequestBody request = Solve{...};
//   CallOptions options{.worker = worker, .timeout = 10min, .on_progress = Show};
//   EMEND_CO_ASSIGN_OR_RETURN(ReplyBody reply, co_await pool.Call(std::move(request),
//       std::move(options)));
//
// Used on the runtime's executor only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/base/runtime.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::membership {

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

class WorkerPool {
 public:
  virtual ~WorkerPool() = default;
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

// Those of `workers` that take calls.
std::vector<WorkerInfo> Serving(std::vector<WorkerInfo> workers);

}  // namespace emend::coordinator::membership
