// Membership: which workers there are and whether they live; they are called as a WorkerPool
// (worker_pool.h).
//
// Workers dial in, prove the token, and are welcomed into their group with a generation that is
// persisted before it is used. Both sides send heartbeats; three of them missed, a closed
// connection or an exited process is a loss: the generation rises, calls under way on that group
// end with kUnavailable ("worker_lost"), and the caller retries whole. Frames of an older (store
// epoch, generation) are dropped and counted.
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

#include "coordinator/membership/worker_pool.h"
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

class Membership : public WorkerPool {
 public:
  // Listens at `address` ("127.0.0.1:0"); kUnavailable if it cannot.
  virtual Status Start(const std::string& address) = 0;
  // Ends every call with kCancelled and joins every coroutine.
  virtual Awaitable<void> Stop() = 0;
  virtual std::string address() const = 0;

  // Waits for a living worker; kDeadlineExceeded says which workers were seen and when.
  virtual Awaitable<Status> WaitForWorker(SteadyTime deadline) = 0;
};

// `runtime` and `transport` must outlive it.
std::unique_ptr<Membership> NewMembership(Runtime& runtime, worker::protocol::Transport& transport,
                                          MembershipOptions options);

}  // namespace emend::coordinator::membership
