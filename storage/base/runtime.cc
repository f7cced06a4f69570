#include "storage/base/runtime.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "storage/base/log.h"

namespace emend {
namespace {

namespace asio = boost::asio;

// Suspends until `start(resume)` calls resume, once, on the executor.
template <typename Start>
Awaitable<void> Suspend(Start start) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [](auto handler, Start begin) {
        // Handlers move only; std::function copies.
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        begin([shared] { std::move (*shared)(); });
      },
      asio::use_awaitable, std::move(start));
}

}  // namespace

Awaitable<void> Sleep(Runtime& runtime, std::chrono::nanoseconds duration) {
  const SteadyTime when =
      runtime.clock().Now() + std::chrono::duration_cast<SteadyTime::duration>(duration);
  Runtime* const borrowed = &runtime;
  co_await Suspend([borrowed, when](std::function<void()> resume) {
    borrowed->ScheduleAt(when, std::move(resume));
  });
}

Awaitable<void> internal::RunBlockingAwait(Runtime& runtime, std::function<void()> work) {
  Runtime* const borrowed = &runtime;
  co_await Suspend([borrowed, &work](std::function<void()> resume) {
    borrowed->RunBlocking(std::move(work), std::move(resume));
  });
}

struct Signal::Waiter {
  std::function<void()> resume;
  Runtime::TimerId timer = 0;
  bool was_set = false;
};

Signal::~Signal() { EMEND_CHECK(waiters_.empty(), "a Signal died while coroutines waited for it"); }

void Signal::Set() {
  set_ = true;
  auto waiters = std::exchange(waiters_, {});
  for (auto& [number, waiter] : waiters) {
    waiter->was_set = true;
    runtime_.CancelTimer(waiter->timer);
    asio::post(runtime_.executor(), std::move(waiter->resume));
  }
}

Awaitable<bool> Signal::WaitUntil(SteadyTime deadline) {
  if (set_) co_return true;
  auto waiter = std::make_shared<Waiter>();
  auto start = [this, waiter, deadline](std::function<void()> resume) {
    const std::uint64_t number = next_++;
    waiter->resume = std::move(resume);
    waiter->timer = runtime_.ScheduleAt(deadline, [this, number] {
      const auto found = waiters_.find(number);
      if (found == waiters_.end()) return;
      auto expired = std::move(found->second);
      waiters_.erase(found);
      expired->resume();
    });
    waiters_.emplace(number, waiter);
  };
  co_await Suspend(std::move(start));
  co_return waiter->was_set;
}

Awaitable<void> TaskGroup::Wrap(TaskGroup* group, std::string name, Awaitable<Status> task) {
  const Status status = co_await std::move(task);
  if (!status.ok() && status.code() != StatusCode::kCancelled)
    LogWarning("task_failed", {{"task", name}, {"status", status}});
  if (--group->running_ == 0) group->idle_.Set();
}

void TaskGroup::Spawn(std::string name, Awaitable<Status> task) {
  ++running_;
  idle_.Reset();
  asio::co_spawn(runtime_.executor(), Wrap(this, std::move(name), std::move(task)),
                 [](std::exception_ptr error) {
                   EMEND_CHECK(error == nullptr, "an exception escaped a task");
                 });
}

Awaitable<bool> TaskGroup::Join(SteadyTime deadline) {
  co_return co_await idle_.WaitUntil(deadline);
}

}  // namespace emend
