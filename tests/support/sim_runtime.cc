#include "tests/support/sim_runtime.h"

#include <boost/asio/post.hpp>

namespace emend::test {
namespace {

constexpr std::chrono::seconds kEpoch{1'700'000'000};
constexpr std::uint64_t kBlockingMicrosecondsMax = 2000;

}  // namespace

WallTime SimRuntime::VirtualClock::WallNow() const {
  return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(kEpoch + now));
}

SimRuntime::SimRuntime(std::uint64_t seed) : random_(seed), delays_(seed ^ 0x9e3779b97f4a7c15U) {}

Runtime::TimerId SimRuntime::ScheduleAt(SteadyTime when, std::function<void()> task) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  return id;
}

void SimRuntime::CancelTimer(TimerId id) {
  const auto found = timer_times_.find(id);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, id});
  timer_times_.erase(found);
}

void SimRuntime::RunBlocking(std::function<void()> work, std::function<void()> done) {
  const auto delay = std::chrono::microseconds(delays_.Below(kBlockingMicrosecondsMax + 1));
  ScheduleAt(clock_.Now() + delay, [work = std::move(work), done = std::move(done)] {
    work();
    done();
  });
}

bool SimRuntime::Step(SteadyTime limit) {
  context_.restart();
  if (context_.poll_one() > 0) return true;
  if (timers_.empty() || timers_.begin()->first.first > limit) return false;
  auto timer = timers_.extract(timers_.begin());
  timer_times_.erase(timer.key().second);
  clock_.now = std::max(clock_.now, std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        timer.key().first.time_since_epoch()));
  timer.mapped()();
  return true;
}

bool SimRuntime::RunUntil(const std::function<bool()>& done, std::chrono::nanoseconds limit) {
  const SteadyTime end = clock_.Now() + limit;
  while (!done()) {
    if (Step(end)) continue;
    clock_.now = std::max(
        clock_.now, std::chrono::duration_cast<std::chrono::nanoseconds>(end.time_since_epoch()));
    return false;
  }
  return true;
}

void SimRuntime::RunFor(std::chrono::nanoseconds duration) {
  RunUntil([] { return false; }, duration);
}

void SimRuntime::CheckNoException(std::exception_ptr error) {
  EMEND_CHECK(error == nullptr, "an exception escaped a coroutine of a test");
}

void SimRuntime::Spawned(std::function<Awaitable<void>()> start) {
  started_.push_back(std::move(start));
  boost::asio::co_spawn(context_, started_.back()(), &CheckNoException);
}

void SimRuntime::Record(std::string_view event) {
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.now).count();
  events_.push_back(std::to_string(microseconds) + " " + std::string(event));
}

}  // namespace emend::test
