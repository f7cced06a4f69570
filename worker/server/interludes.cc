#include "worker/server/interludes.h"

#include <algorithm>
#include <utility>

namespace emend::worker::server {

void Interludes::Offer(std::shared_ptr<Interlude> interlude) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(interlude));
}

std::shared_ptr<Interlude> Interludes::Take(const std::function<bool(const protocol::RequestBody&)>& fits) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(waiting_, [&](const auto& interlude) { return interlude->call.cancelled->load() || fits(interlude->request); });
  if (found == waiting_.end()) return nullptr;
  std::shared_ptr<Interlude> taken = std::move(*found);
  waiting_.erase(found);
  return taken;
}

}  // namespace emend::worker::server
