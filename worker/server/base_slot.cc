#include "worker/server/base_slot.h"

#include <utility>

namespace emend::worker::server {

Result<LiveBase*> BaseSlot::Find(const BaseId& id) {
  if (base_ && base_->id() == id) return base_.get();
  return Status(StatusCode::kFailedPrecondition, "base_not_loaded",
                "base " + id.Short() + " is not loaded: load it first");
}

void BaseSlot::Put(std::unique_ptr<LiveBase> base) {
  base_ = std::move(base);
  texts_ = std::make_unique<Texts>(*base_);
}

void BaseSlot::Forget(const Status& why) {
  if (texts_) texts_->EndAll(why);
  texts_.reset();
  base_.reset();
}

std::vector<StateId> BaseSlot::Wanted(const Published& published) const {
  if (!base_) return {};
  return published.Wanted(base_->id(), base_->kept_max());
}

void BaseSlot::Keep(const Published& published) {
  if (base_) base_->Keep(Wanted(published));
}

void BaseSlot::NoteMemory() {
  protocol::MemoryUse memory = base_ ? base_->memory() : protocol::MemoryUse();
  if (texts_) memory.cache_bytes = texts_->cache_bytes();
  const std::scoped_lock lock(mutex_);
  memory_ = memory;
}

void BaseSlot::NoteCache() {
  const std::scoped_lock lock(mutex_);
  memory_.cache_bytes = texts_->cache_bytes();
}

protocol::MemoryUse BaseSlot::memory() const {
  const std::scoped_lock lock(mutex_);
  return memory_;
}

}  // namespace emend::worker::server
