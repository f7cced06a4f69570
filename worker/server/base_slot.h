// BaseSlot: the one base that a worker holds, and the texts under way on it.
//
//   EMEND_ASSIGN_OR_RETURN(LiveBase* const base, slot.Find(request.base));
//
// One base at a time: a second model beside the first would double the memory without anybody
// having asked for it. Used by the compute thread, but for memory().
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "worker/server/live_base.h"
#include "worker/server/published.h"
#include "worker/server/texts.h"

namespace emend::worker::server {

class BaseSlot {
 public:
  // kFailedPrecondition ("base_not_loaded").
  Result<LiveBase*> Find(const BaseId& id);
  LiveBase* held() { return base_.get(); }  // null where none is
  // REQUIRES: none is held.
  void Put(std::unique_ptr<LiveBase> base);
  // Texts under way on the base held end with `why`.
  void Forget(const Status& why);

  // REQUIRES: a base is held.
  Texts& texts() { return *texts_; }
  bool has_texts_under_way() const { return texts_ && texts_->under_way(); }

  // What of the base held was published, is live or to be made so.
  std::vector<StateId> Wanted(const Published& published) const;
  // These do not leave to make room.
  void Keep(const Published& published);

  // Says again what memory() gives: all of it, or keys and values of texts alone, which come and go
  // with each step of theirs.
  void NoteMemory();
  void NoteCache();
  // From any thread: what this rank holds, as of the last note.
  protocol::MemoryUse memory() const;

 private:
  std::unique_ptr<LiveBase> base_;
  std::unique_ptr<Texts> texts_;  // of the base
  mutable std::mutex mutex_;
  protocol::MemoryUse memory_;  // guarded by mutex_
};

}  // namespace emend::worker::server
