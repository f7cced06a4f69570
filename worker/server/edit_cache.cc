#include "worker/server/edit_cache.h"

#include <utility>

namespace emend::worker::server {

Status EditCache::Put(const EditId& id, std::string_view payload) {
  if (entries_.contains(id)) return OkStatus();
  Result<storage::delta::EditDelta> decoded = storage::delta::DecodeEditDelta(payload);
  if (!decoded.ok()) return decoded.status().WithContext("receiving edit " + id.Short());
  used_.push_front(id);
  entries_[id] = {Counted(std::move(decoded).value(), payload.size()), payload.size(),
                  used_.begin()};
  bytes_ += payload.size();
  Trim();
  return OkStatus();
}

// Columns lie in memory as they do in the payload, so its size is theirs.
std::shared_ptr<const storage::delta::EditDelta> EditCache::Counted(storage::delta::EditDelta delta,
                                                                    std::size_t bytes) {
  *held_bytes_ += bytes;
  return {new storage::delta::EditDelta(std::move(delta)),
          [held = held_bytes_, bytes](const storage::delta::EditDelta* freed) {
            *held -= bytes;
            delete freed;
          }};
}

void EditCache::Want(const std::vector<EditId>& edits) {
  wanted_ = {edits.begin(), edits.end()};
  Trim();
}

void EditCache::Trim() {
  for (auto oldest = used_.end(); bytes_ > bytes_max_ && oldest != used_.begin();) {
    --oldest;
    if (wanted_.contains(*oldest)) continue;
    const auto entry = entries_.find(*oldest);
    bytes_ -= entry->second.bytes;
    entries_.erase(entry);
    oldest = used_.erase(oldest);
  }
}

std::shared_ptr<const storage::delta::EditDelta> EditCache::Find(const EditId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  used_.splice(used_.begin(), used_, found->second.place);
  return found->second.delta;
}

}  // namespace emend::worker::server
