#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>

#include "storage/base/runtime.h"

namespace emend {
namespace {

namespace asio = boost::asio;

class SystemRuntimeImpl final : public SystemRuntime {
 public:
  explicit SystemRuntimeImpl(int pool_threads)
      : work_(asio::make_work_guard(context_)), pool_(static_cast<std::size_t>(pool_threads)) {}
  ~SystemRuntimeImpl() override { pool_.join(); }

  asio::any_io_executor executor() override { return context_.get_executor(); }
  const Clock& clock() const override { return clock_; }
  Random& random() override { return random_; }

  TimerId ScheduleAt(SteadyTime when, std::function<void()> task) override {
    const TimerId id = next_timer_++;
    auto timer = std::make_shared<asio::steady_timer>(context_, when);
    timers_.emplace(id, timer);
    timer->async_wait([this, id, timer, task = std::move(task)](const boost::system::error_code&) {
      // A cancelled timer was erased; one that fires at the same moment must not run either.
      if (timers_.erase(id) > 0) task();
    });
    return id;
  }

  void CancelTimer(TimerId id) override {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    found->second->cancel();
    timers_.erase(found);
  }

  void RunBlocking(std::function<void()> work, std::function<void()> done) override {
    asio::post(pool_, [this, work = std::move(work), done = std::move(done)]() mutable {
      work();
      asio::post(context_, std::move(done));
    });
  }

  void Run() override { context_.run(); }
  void Stop() override { context_.stop(); }

 private:
  SystemClock clock_;
  SystemRandom random_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::thread_pool pool_;
  TimerId next_timer_ = 1;                                         // owned by the executor
  std::map<TimerId, std::shared_ptr<asio::steady_timer>> timers_;  // owned by the executor
};

}  // namespace

std::unique_ptr<SystemRuntime> NewSystemRuntime(int pool_threads) {
  return std::make_unique<SystemRuntimeImpl>(pool_threads);
}

}  // namespace emend
