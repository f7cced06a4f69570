#include "worker/server/edit_cache.h"

#include <utility>

namespace emend::worker::server {

Status EditCache::Put(const EditId& id, std::string_view payload) {
  if (entries_.contains(id)) return OkStatus();
  Result<storage::delta::EditDelta> decoded = storage::delta::DecodeEditDelta(payload);
  if (!decoded.ok()) return decoded.status().WithContext("receiving edit " + id.Short());
  used_.push_front(id);
  entries_[id] = {std::make_shared<const storage::delta::EditDelta>(std::move(decoded).value()), payload.size(), used_.begin()};
  bytes_ += payload.size();
  // The newest stays even where it alone is over the bound: a state of one edit must be possible.
  while (bytes_ > bytes_max_ && used_.size() > 1) {
    const auto oldest = entries_.find(used_.back());
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
    used_.pop_back();
  }
  return OkStatus();
}

std::shared_ptr<const storage::delta::EditDelta> EditCache::Find(const EditId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  used_.splice(used_.begin(), used_, found->second.place);
  return found->second.delta;
}

}  // namespace emend::worker::server
