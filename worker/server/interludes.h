// Interludes: short requests that are answered while a long one is under way.
//
// A solve takes seconds to hours, and questions must not wait for its end. The compute thread looks
// here whenever the long request reports its progress, and answers what it finds, whole, before it
// goes on: a request sees one state from its first token to its last, and what is solved on is held
// meanwhile. A text is only begun; it goes on a token at a time (texts.h). Where nothing is under
// way the compute thread takes them like any request. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "worker/protocol/messages.h"
#include "worker/server/call.h"

namespace emend::worker::server {

// Of Lane::kAnswers or Lane::kTexts.
struct Interlude {
  protocol::RequestBody request;
  Call call;
  std::function<void(Result<protocol::ReplyBody>)> done;  // on the compute thread
  std::function<void(protocol::Piece)> on_piece = {};     // the same; of a Complete
};

class Interludes {
 public:
  void Offer(std::shared_ptr<Interlude> interlude);
  // In the order in which they came; null if there is none.
  std::shared_ptr<Interlude> Take();
  bool empty() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Interlude>> waiting_;
};

}  // namespace emend::worker::server
