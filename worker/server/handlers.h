// What a worker answers to each request. One object a worker, used by its compute thread alone but
// for what says otherwise.
//
// In a group of several ranks rank 0 gets the requests and passes each on; the others, each in its
// Follow, do the same at the same time. Whether a request goes on is rank 0's decision, and what
// fails on one rank is the answer of all.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/clock.h"
#include "worker/edit/progress.h"
#include "worker/eval/score.h"
#include "worker/protocol/base_turns.h"
#include "worker/protocol/messages.h"
#include "worker/server/call.h"
#include "worker/server/interludes.h"
#include "worker/server/live_base.h"
#include "worker/server/published.h"
#include "worker/server/rank_group.h"
#include "worker/server/texts.h"

namespace emend::worker::server {

class Handlers {
 public:
  explicit Handlers(const LiveBaseOptions& options, RankGroupOptions group = {})
      : options_(options), group_(std::move(group)) {}

  // Somebody else than the coordinator asks here, too. Before the first request.
  void ServeGateways() { has_gateway_ = true; }
  // From any thread: the coordinator was heard of.
  void NoteCoordinator(SteadyTime now) { coordinator_heard_ = now; }

  // Never throws. kFailedPrecondition ("base_not_loaded", "state_not_live") tell the coordinator
  // what to send first; kCancelled if the call was; else as the folders that do the work document.
  // Failpoints: worker.<request>.received and worker.<request>.before_reply.
  Result<protocol::ReplyBody> Handle(const protocol::RequestBody& request, const Call& call);
  // From rank 0, now and then while nothing else is asked: the other ranks then know that it lives.
  Status Tick();
  // From any thread: answers this at the next report of what is under way; RunOffered() answers it
  // otherwise.
  void Offer(std::shared_ptr<Interlude> interlude) { interludes_.Offer(std::move(interlude)); }
  // Answers what was offered, and takes the texts under way a little further. True: call it again,
  // there is more of either; work may come in between.
  bool RunOffered();
  // From any thread: what this rank holds, as of the last request.
  protocol::MemoryUse memory() const;
  // From any thread: as RankGroup.
  std::optional<protocol::GroupPlace> group_place() const { return group_.place(); }
  // From any thread: ends the group, and with it what runs on it.
  void Interrupt() { group_.Interrupt(); }

 private:
  Result<protocol::ReplyBody> Lead(const protocol::RequestBody& request, const Call& call);
  Result<protocol::ReplyBody> Dispatch(const protocol::RequestBody& request, const Call& call);
  Result<LiveBase*> Base(const BaseId& id);
  void NoteMemory();
  // Keys and values alone, which come and go with each step of texts.
  void NoteCache();

  Result<protocol::ReplyBody> Run(const protocol::LoadBase& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::EnsureState& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::PutEdits& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::ComputeStatistics& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Solve& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::OptimiseTargets& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Evaluate& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Generate& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::DigestState& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::DigestTiles& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::ForgetBase& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Publish& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::ReadPublication& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::SampleTexts& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::OpenLine& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::AdoptGroup& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::JoinGroup& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Follow& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::StepTexts& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::ProbeRanks& request, const Call& call);

  // What rank 0 passes on next, if that is not nothing.
  Status FollowNext();
  // Whether a long request goes on; answers in between what was offered meanwhile, one at least,
  // and gives all of it and the texts under way as much time as the request had.
  Status StillWanted(const Call& call);
  enum class Word : std::int64_t { kGoOn, kCancelled, kInBetween };
  // Rank 0's decision, and the interlude that is next; none where texts are.
  Word Decide(const Call& call, SteadyTime until, int turn, std::shared_ptr<Interlude>& next);
  // The base in memory, and what is under way on it while something that was offered is looked at.
  std::optional<protocol::HeldBase> Held() const;
  void Answer(const std::shared_ptr<Interlude>& interlude);
  void Begin(const std::shared_ptr<Interlude>& text);
  bool texts_under_way() const { return texts_ && texts_->under_way(); }
  void StepTexts();
  // What of the base that is held was published, is live or to be made so.
  std::vector<StateId> WantedStates() const;
  void KeepPublished();
  // Of another base, or of an old group.
  void ForgetBases(const Status& why);
  edit::ProgressFunction EditProgress(const Call& call);
  eval::ProgressFunction EvalProgress(const Call& call, std::string_view phase);

  const LiveBaseOptions options_;
  RankGroup group_;
  Interludes interludes_;
  protocol::BaseTurns turns_;  // rank 0
  // an interlude is under way; the same on every rank
  bool in_between_ = false;
  // rank 0: the request under way has reached the other ranks
  bool passed_on_ = false;
  std::map<BaseId, std::unique_ptr<LiveBase>> bases_;  // one at most
  std::unique_ptr<Texts> texts_;                       // of the base
  Published published_;
  bool has_gateway_ = false;
  std::atomic<SteadyTime> coordinator_heard_{SystemClock().Now()};
  SteadyTime resumed_;  // rank 0: when the long request under way went on
  mutable std::mutex memory_mutex_;
  protocol::MemoryUse memory_;  // guarded by memory_mutex_
};

}  // namespace emend::worker::server
