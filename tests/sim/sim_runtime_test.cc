#include "tests/support/sim_runtime.h"

#include <gtest/gtest.h>

using namespace std::chrono_literals;

namespace emend::test::sim_runtime_test {
namespace {

Awaitable<int> SleepThenAnswer(Runtime& runtime, std::chrono::nanoseconds duration, int answer) {
  co_await Sleep(runtime, duration);
  co_return answer;
}

Awaitable<bool> WaitFor(Signal& signal, SteadyTime deadline) {
  co_return co_await signal.WaitUntil(deadline);
}

Awaitable<int> Double(Runtime& runtime, int value) {
  co_return co_await Blocking(runtime, [value] { return 2 * value; });
}

TEST(SimRuntimeTest, SleepTakesVirtualTimeOnly) {
  SimRuntime sim(1);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(sim.Await(SleepThenAnswer(sim, 100h, 7), 200h), 7);
  EXPECT_EQ(sim.elapsed(), 100h);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST(SimRuntimeTest, AwaitGivesUpAtItsLimitAndTimeStandsThere) {
  SimRuntime sim(1);
  EXPECT_EQ(sim.Await(SleepThenAnswer(sim, 2h, 7), 1h), std::nullopt);
  EXPECT_EQ(sim.elapsed(), 1h);
  sim.RunFor(2h);
}

TEST(SimRuntimeTest, TimersOfOneMomentRunInTheOrderInWhichTheyWereSet) {
  SimRuntime sim(1);
  std::string order;
  const SteadyTime when = sim.clock().Now() + 1s;
  sim.ScheduleAt(when, [&] { order += 'a'; });
  const Runtime::TimerId cancelled = sim.ScheduleAt(when, [&] { order += 'x'; });
  sim.ScheduleAt(when, [&] { order += 'b'; });
  sim.ScheduleAt(when - 1ms, [&] { order += '0'; });
  sim.CancelTimer(cancelled);
  sim.RunFor(2s);
  EXPECT_EQ(order, "0ab");
}

TEST(SimRuntimeTest, BlockingWorkTakesADelayOfTheSeed) {
  SimRuntime first(5), second(5);
  EXPECT_EQ(first.Await(Double(first, 21)), 42);
  EXPECT_EQ(second.Await(Double(second, 21)), 42);
  EXPECT_EQ(first.elapsed(), second.elapsed());
}

TEST(SimRuntimeTest, SignalWakesItsWaitersOrExpires) {
  SimRuntime sim(1);
  Signal signal(sim);
  EXPECT_EQ(sim.Await(WaitFor(signal, sim.clock().Now() + 1s)), false);
  sim.ScheduleAt(sim.clock().Now() + 1s, [&] { signal.Set(); });
  EXPECT_EQ(sim.Await(WaitFor(signal, sim.clock().Now() + 2s)), true);
  EXPECT_EQ(sim.elapsed(), 2s);
}

}  // namespace
}  // namespace emend::test::sim_runtime_test
