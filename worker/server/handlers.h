// What a worker answers to each request: it holds what requests are run on (requests.h), leads or
// follows the ranks of its group (passing_on.h), and answers in between (between_steps.h). One
// object a worker, used by its compute thread alone but for what says otherwise.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "storage/base/clock.h"
#include "worker/protocol/messages.h"
#include "worker/server/base_slot.h"
#include "worker/server/between_steps.h"
#include "worker/server/call.h"
#include "worker/server/rank_group.h"
#include "worker/server/requests.h"

namespace emend::worker::server {

class Handlers {
 public:
  explicit Handlers(const LiveBaseOptions& options, RankGroupOptions group = {});

  // Somebody else than the coordinator asks here, too. Before the first request.
  void ServeGateways() { gateways_.are_served = true; }
  // From any thread: the coordinator was heard of.
  void NoteCoordinator(SteadyTime now) { gateways_.coordinator_heard = now; }

  // Never throws. Failures as requests.h says. Failpoints: worker.<request>.received and
  // worker.<request>.before_reply.
  Result<protocol::ReplyBody> Handle(const protocol::RequestBody& request, const Call& call);
  // From rank 0, now and then while nothing else is asked: the other ranks then know that it lives.
  Status Tick();
  // As BetweenSteps.
  void Offer(std::shared_ptr<Interlude> interlude) { between_.Offer(std::move(interlude)); }
  bool RunOffered() { return between_.RunOffered(); }
  // From any thread: what this rank holds, as of the last request.
  protocol::MemoryUse memory() const { return slot_.memory(); }
  // From any thread: as RankGroup.
  std::optional<protocol::GroupPlace> group_place() const { return group_.place(); }
  // From any thread: ends the group, and with it what runs on it.
  void Interrupt() { group_.Interrupt(); }

 private:
  Result<protocol::ReplyBody> RunHere(const protocol::RequestBody& request, const Call& call);
  Status FollowNext();

  const LiveBaseOptions options_;
  RankGroup group_;
  BaseSlot slot_;
  Published published_;
  Gateways gateways_;
  BetweenSteps between_;
};

}  // namespace emend::worker::server
