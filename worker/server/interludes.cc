#include "worker/server/interludes.h"

#include <utility>

namespace emend::worker::server {

void Interludes::Offer(std::shared_ptr<Interlude> interlude) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(interlude));
}

std::shared_ptr<Interlude> Interludes::Take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  std::shared_ptr<Interlude> taken = std::move(waiting_.front());
  waiting_.pop_front();
  return taken;
}

bool Interludes::empty() const {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

}  // namespace emend::worker::server
