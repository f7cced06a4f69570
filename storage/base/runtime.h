// Runtime: the one way in which the control plane waits: executor, timers and the pool for blocking
// work, behind an interface, so that tests/sim can run coordinator and workers in virtual time on
// one thread.
//
//   Awaitable<Status> Beat(Runtime& runtime) {
//     co_await Sleep(runtime, std::chrono::seconds(1));
//     co_return co_await Blocking(runtime, [&store] { return store.Write(batch,
//         Durability::kSynced); });
//   }
//
// NewSystemRuntime has one I/O thread (whoever calls Run) and a pool. Everything that runs on
// executor() is therefore on one strand: objects of the control plane need no locks against each
// other. Blocking() moves work to the pool and resumes on the executor. Boost 1.74 has no
// cancellation slots: what waits, waits on a Signal with a deadline, and whoever cancels sets the
// Signal.
//
// g++ 12 destroys a temporary closure or aggregate twice when it stands inside a co_await
// expression. Name what owns something first:
//   auto read = [key, &store] { return store.Get(key); };
//   co_return co_await Blocking(runtime, read);
// Temporaries with constructors (std::string, std::shared_ptr) and closures that only borrow are
// safe; structs like CallOptions{.on_progress = show} are not.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/base/status.h"

namespace emend {

template <typename T>
using Awaitable = boost::asio::awaitable<T>;

class Runtime {
 public:
  using TimerId = std::uint64_t;

  virtual ~Runtime() = default;
  virtual boost::asio::any_io_executor executor() = 0;
  virtual const Clock& clock() const = 0;
  virtual Random& random() = 0;
  // `task` runs on the executor at `when` (or soon after), unless cancelled before. Call on the
  // executor.
  virtual TimerId ScheduleAt(SteadyTime when, std::function<void()> task) = 0;
  virtual void CancelTimer(TimerId id) = 0;
  // `work` runs on the pool, then `done` on the executor. The pool's queue is bounded by what the
  // callers admit; nothing is dropped.
  virtual void RunBlocking(std::function<void()> work, std::function<void()> done) = 0;
};

class SystemRuntime : public Runtime {
 public:
  // Runs the executor in this thread until Stop.
  virtual void Run() = 0;
  // From any thread or signal handler context posted to the executor: Run returns, the pool is
  // joined by the destructor.
  virtual void Stop() = 0;
};
std::unique_ptr<SystemRuntime> NewSystemRuntime(int pool_threads);

// Resumes after `duration`.
Awaitable<void> Sleep(Runtime& runtime, std::chrono::nanoseconds duration);

// An event that coroutines wait for. Set() wakes all who wait and stays set until Reset(). Used on
// the executor only; outlives its waiters.
class Signal {
 public:
  explicit Signal(Runtime& runtime) : runtime_(runtime) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal();

  void Set();
  void Reset() { set_ = false; }
  bool is_set() const { return set_; }
  // True once set; false when `deadline` came first.
  Awaitable<bool> WaitUntil(SteadyTime deadline);

 private:
  struct Waiter;
  Runtime& runtime_;
  bool set_ = false;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Waiter>> waiters_;
};

// Coroutines that belong to one owner, who joins them before it dies. Used on the executor only.
class TaskGroup {
 public:
  explicit TaskGroup(Runtime& runtime) : runtime_(runtime), idle_(runtime) { idle_.Set(); }
  // Starts it; a Status that is not ok is logged as a warning with `name`. An exception that
  // escapes it is a bug and aborts.
  void Spawn(std::string name, Awaitable<Status> task);
  // Waits for all to end, until the deadline; false: some still run. The owner has told them to end
  // before.
  Awaitable<bool> Join(SteadyTime deadline);
  int running() const { return running_; }

 private:
  static Awaitable<void> Wrap(TaskGroup* group, std::string name, Awaitable<Status> task);
  Runtime& runtime_;
  Signal idle_;
  int running_ = 0;
};

namespace internal {
Awaitable<void> RunBlockingAwait(Runtime& runtime, std::function<void()> work);

template <typename Work>
Awaitable<std::invoke_result_t<Work&>> RunWork(Runtime& runtime, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  std::exception_ptr thrown;
  co_await RunBlockingAwait(runtime, [&result, &thrown, &work] {
    try {
      result.emplace(work());
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  if (thrown) std::rethrow_exception(thrown);
  co_return std::move(*result);
}
}  // namespace internal

// Runs `work` on the pool and returns what it returned, or throws what it threw. A named closure is
// borrowed until then.
template <typename Work>
Awaitable<std::invoke_result_t<Work&>> Blocking(Runtime& runtime, Work&& work) {
  static_assert(std::is_lvalue_reference_v<Work> || std::is_trivially_destructible_v<Work>,
                "g++ 12 destroys a temporary closure in a co_await expression twice: name the "
                "closure first, then co_await Blocking(runtime, name)");
  return internal::RunWork<Work>(runtime, std::forward<Work>(work));
}

}  // namespace emend
