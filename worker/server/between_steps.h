// BetweenSteps: what may come between two steps of a long request, and in which order.
//
// A long request asks at each report whether it goes on. Rank 0 decides that for all ranks: it
// answers in between what was offered meanwhile (interludes.h), one at least, and gives all of it
// and the texts under way as much time as the request had. Where no long request is under way
// RunOffered() does the same.
//
//   BetweenSteps between(group, slot, {.handle = ..., .follow_next = ...});
//   between.Offer(interlude);                          // from any thread
//   EMEND_RETURN_IF_ERROR(between.StillWanted(call));  // on all ranks, at each report
//
// Used by the compute thread, but for Offer().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "storage/base/clock.h"
#include "worker/protocol/base_turns.h"
#include "worker/server/base_slot.h"
#include "worker/server/interludes.h"
#include "worker/server/rank_group.h"

namespace emend::worker::server {

class BetweenSteps {
 public:
  // Of the worker whose steps they are.
  struct Worker {
    // Carries a request out on all ranks. Never throws.
    std::function<Result<protocol::ReplyBody>(const protocol::RequestBody&, const Call&)> handle;
    // On ranks above 0: does what rank 0 passes on next, if that is not nothing.
    std::function<Status()> follow_next;
  };

  BetweenSteps(RankGroup& group, BaseSlot& slot, Worker worker)
      : group_(group), slot_(slot), worker_(std::move(worker)) {}

  // From any thread: answers this at the next report of what is under way; RunOffered() answers it
  // otherwise.
  void Offer(std::shared_ptr<Interlude> interlude) { interludes_.Offer(std::move(interlude)); }
  // Answers what was offered, and takes the texts under way a little further. True: call it again,
  // there is more of either; work may come in between.
  bool RunOffered();
  // Whether a long request goes on, at each report of it. kCancelled if its call was.
  Status StillWanted(const Call& call);

  // As its worker.
  Status FollowNext() { return worker_.follow_next(); }
  // What is carried out next is no interlude, whatever became of the one before.
  void Reset() { is_between_ = false; }
  // A request begins; its time counts from here on, unless it is an interlude of another.
  void NoteBegin();
  // Rank 0: it has reached the other ranks.
  void NotePassedOn() { passed_on_ = true; }
  // It was carried out.
  void NoteDone(const protocol::RequestBody& request);

 private:
  enum class Word : std::int64_t { kGoOn, kCancelled, kInBetween };
  // Rank 0's decision, and the interlude that is next; none where texts are.
  Word Decide(const Call& call, SteadyTime until, int turn, std::shared_ptr<Interlude>& next);
  // The base in memory, and what is under way on it while something that was offered is looked at.
  std::optional<protocol::HeldBase> Held() const;
  void Answer(const std::shared_ptr<Interlude>& interlude);
  void BeginText(const std::shared_ptr<Interlude>& text);
  void StepTexts();

  RankGroup& group_;
  BaseSlot& slot_;
  const Worker worker_;
  Interludes interludes_;
  protocol::BaseTurns turns_;  // rank 0
  bool is_between_ = false;    // an interlude is under way; the same on every rank
  bool passed_on_ = false;     // rank 0: the request under way has reached the other ranks
  SteadyTime resumed_;         // rank 0: when the long request under way went on
};

}  // namespace emend::worker::server
