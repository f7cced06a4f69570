// Texts: the completions under way on one base, between what is asked of the worker and the engine
// that steps them (worker/eval/completion_engine.h).
//
// Used by the compute thread. Every rank has one; rank 0 adds texts, all step together.
#pragma once

#include <memory>

#include "worker/eval/completion_engine.h"
#include "worker/server/interludes.h"
#include "worker/server/live_base.h"

namespace emend::worker::server {

class Texts {
 public:
  // `base` must outlive it.
  explicit Texts(LiveBase& base);

  // Rank 0: begins the Complete that `interlude` holds. Its pieces and its end are told to the
  // interlude, whatever becomes of it.
  void Begin(std::shared_ptr<Interlude> interlude);
  // All ranks together: one token for every text.
  Status Step();
  // Rank 0: something is to be stepped.
  bool under_way() const { return under_way_; }
  void EndAll(const Status& status);
  std::uint64_t cache_bytes() const { return static_cast<std::uint64_t>(engine_.cache_bytes()); }

 private:
  LiveBase& base_;
  eval::CompletionEngine engine_;
  bool under_way_ = false;
};

}  // namespace emend::worker::server
