#include "storage/base/stop_signals.h"

#include <signal.h>

#include <boost/asio/signal_set.hpp>
#include <cstdlib>
#include <utility>

#include "storage/base/log.h"

namespace emend {

struct StopSignals::Impl {
  explicit Impl(Runtime& runtime) : signals(runtime.executor(), SIGTERM, SIGINT) {}

  void Await() {
    signals.async_wait([this](const boost::system::error_code& error, int number) {
      if (!error) Take(number);
    });
  }
  void Take(int number) {
    if (stop == nullptr) {
      LogWarning("ended_by_second_signal", {{"signal", number}});
      std::_Exit(128 + number);
    }
    Await();
    std::exchange(stop, nullptr)();
  }

  boost::asio::signal_set signals;
  std::function<void()> stop;
};

StopSignals::StopSignals(Runtime& runtime) : impl_(std::make_unique<Impl>(runtime)) {
  signal(SIGPIPE, SIG_IGN);
}
StopSignals::~StopSignals() = default;

void StopSignals::OnFirst(std::function<void()> stop) {
  impl_->stop = std::move(stop);
  impl_->Await();
}

}  // namespace emend
