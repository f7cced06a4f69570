// SimRuntime: a Runtime in virtual time, on one thread, with every choice drawn from one seed: the
// same seed gives the same run.
//
//   SimRuntime sim(/*seed=*/7);
//   sim.Spawn([&]() -> Awaitable<void> { co_await Sleep(sim, 10s); done = true; });
//   ASSERT_TRUE(sim.RunUntil([&] { return done; }, 1min));          // takes no real time
//   EXPECT_EQ(sim.events(), other.events());
//
// Time stands still while something can run and jumps to the next timer otherwise. Blocking work
// runs inline after a virtual delay drawn from the seed. The wall clock is a fixed epoch plus the
// virtual time. Used by one thread.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/runtime.h"
#include "tests/support/seeded_random.h"

namespace emend::test {

class SimRuntime final : public Runtime {
 public:
  explicit SimRuntime(std::uint64_t seed);

  boost::asio::any_io_executor executor() override { return context_.get_executor(); }
  const Clock& clock() const override { return clock_; }
  Random& random() override { return random_; }
  TimerId ScheduleAt(SteadyTime when, std::function<void()> task) override;
  void CancelTimer(TimerId id) override;
  void RunBlocking(std::function<void()> work, std::function<void()> done) override;

  // Runs until `done()` holds, which is asked after every event; false when `limit` of virtual time
  // has passed or nothing is left to run.
  bool RunUntil(const std::function<bool()>& done, std::chrono::nanoseconds limit);
  // Lets this much virtual time pass.
  void RunFor(std::chrono::nanoseconds duration);

  // Starts a coroutine without an owner: a test's main line. `start` is kept until the runtime
  // dies; an exception that escapes it aborts.
  template <typename Start>
  void Spawn(Start start) {
    Spawned(std::function<Awaitable<void>()>(std::move(start)));
  }
  // Starts a coroutine; what it returned will stand in the optional.
  template <typename T>
  std::shared_ptr<std::optional<T>> Begin(Awaitable<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    boost::asio::co_spawn(context_, Into(std::move(task), result), &CheckNoException);
    return result;
  }
  // Runs a coroutine to its end and returns what it returned; nothing if it did not end within
  // `limit`.
  template <typename T>
  std::optional<T> Await(Awaitable<T> task,
                         std::chrono::nanoseconds limit = std::chrono::minutes(10)) {
    const std::shared_ptr<std::optional<T>> result = Begin(std::move(task));
    RunUntil([&] { return result->has_value(); }, limit);
    return std::move(*result);
  }

  // The event log: what was recorded, each line with its virtual time in microseconds.
  void Record(std::string_view event);
  const std::vector<std::string>& events() const { return events_; }
  std::chrono::nanoseconds elapsed() const { return clock_.now; }

 private:
  struct VirtualClock final : Clock {
    SteadyTime Now() const override {
      return SteadyTime(std::chrono::duration_cast<SteadyTime::duration>(now));
    }
    WallTime WallNow() const override;
    std::chrono::nanoseconds now{0};
  };

  template <typename T>
  static Awaitable<void> Into(Awaitable<T> task, std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await std::move(task));
  }
  static void CheckNoException(std::exception_ptr error);
  void Spawned(std::function<Awaitable<void>()> start);
  // Runs one thing: what is ready, else the next timer due by `limit`. False: nothing to run by
  // then.
  bool Step(SteadyTime limit);

  VirtualClock clock_;
  SeededRandom random_;
  SeededRandom delays_;
  boost::asio::io_context context_{1};
  TimerId next_timer_ = 1;
  // in the order in which they run
  std::map<std::pair<SteadyTime, TimerId>, std::function<void()>> timers_;
  std::map<TimerId, SteadyTime> timer_times_;
  std::vector<std::function<Awaitable<void>()>> started_;
  std::vector<std::string> events_;
};

}  // namespace emend::test
