#include "tests/support/live_rest.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace emend::test {

void LiveRest::Start() {
  const Status started = server_->Start();
  EMEND_CHECK(started.ok(), "the test server did not start: " + started.ToString());
  port_ = std::atoi(server_->url().substr(server_->url().rfind(':') + 1).c_str());
  thread_ = std::thread([this] { runtime_->Run(); });
}

LiveRest::~LiveRest() {
  if (!stopped_) Stop();
  runtime_->Stop();
  thread_.join();
}

void LiveRest::Do(const std::function<void(FakeService&)>& act) {
  std::promise<void> done;
  boost::asio::post(runtime_->executor(), [&] {
    act(service_);
    done.set_value();
  });
  done.get_future().wait();
}

void LiveRest::Stop() {
  std::promise<void> done;
  boost::asio::co_spawn(runtime_->executor(), server_->Stop(),
                        [&done](std::exception_ptr) { done.set_value(); });
  done.get_future().wait();
  stopped_ = true;
}

}  // namespace emend::test
