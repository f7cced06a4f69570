// What a worker does at each request, as functions over what it holds. A new request has its
// function here, and a row in worker/protocol/request_table.h.
//
// Each runs on the compute thread, on all ranks of a group alike unless the table says otherwise.
// kFailedPrecondition ("base_not_loaded", "state_not_live") tell the coordinator what to send
// first; kCancelled if the call was; else as the folders that do the work document. libtorch's
// exceptions pass through.
#pragma once

#include <atomic>

#include "storage/base/clock.h"
#include "worker/protocol/messages.h"
#include "worker/server/base_slot.h"
#include "worker/server/between_steps.h"
#include "worker/server/call.h"
#include "worker/server/published.h"
#include "worker/server/rank_group.h"

namespace emend::worker::server {

// Who asks here beside the coordinator.
struct Gateways {
  bool are_served = false;
  std::atomic<SteadyTime> coordinator_heard{SystemClock().Now()};  // from any thread
};

// What a request is run on: this rank, and the call that it came by. All borrowed.
struct Context {
  const LiveBaseOptions& options;
  RankGroup& group;
  BaseSlot& slot;
  Published& published;
  const Gateways& gateways;
  BetweenSteps& between;
  const Call& call;
};

// By the request's own function.
Result<protocol::ReplyBody> RunRequest(const protocol::RequestBody& request, Context& context);

// base_requests.cc: what must be in place.
Result<protocol::LoadBaseReply> Run(const protocol::LoadBase& request, Context& context);
Result<protocol::EnsureStateReply> Run(const protocol::EnsureState& request, Context& context);
Result<protocol::PutEditsReply> Run(const protocol::PutEdits& request, Context& context);
Result<protocol::ForgetBaseReply> Run(const protocol::ForgetBase& request, Context& context);

// solve_requests.cc: work on facts.
Result<protocol::ComputeStatisticsReply> Run(const protocol::ComputeStatistics& request,
                                             Context& context);
Result<protocol::SolveReply> Run(const protocol::Solve& request, Context& context);
Result<protocol::OptimiseTargetsReply> Run(const protocol::OptimiseTargets& request,
                                           Context& context);
Result<protocol::EvaluateReply> Run(const protocol::Evaluate& request, Context& context);

// blame_request.cc: where an answer comes from. kInvalidArgument ("empty_answer" where the state
// ends the text at once; "prompt_too_long") as worker/eval/prompt_answer.h.
Result<protocol::BlameReply> Run(const protocol::Blame& request, Context& context);

// text_requests.cc: what the model says.
Result<protocol::SampleTextsReply> Run(const protocol::SampleTexts& request, Context& context);
// kInternal: a text is begun in between, not answered at once.
Result<protocol::CompleteReply> Run(const protocol::Complete& request, Context& context);
Result<protocol::StepTextsReply> Run(const protocol::StepTexts& request, Context& context);

// digest_requests.cc: what is served, proven.
Result<protocol::DigestStateReply> Run(const protocol::DigestState& request, Context& context);
Result<protocol::DigestTilesReply> Run(const protocol::DigestTiles& request, Context& context);

// publication_requests.cc: what gateways may answer.
Result<protocol::PublishReply> Run(const protocol::Publish& request, Context& context);
Result<protocol::ReadPublicationReply> Run(const protocol::ReadPublication& request,
                                           Context& context);

// group_requests.cc: the ranks of a group.
Result<protocol::OpenLineReply> Run(const protocol::OpenLine& request, Context& context);
Result<protocol::JoinGroupReply> Run(const protocol::JoinGroup& request, Context& context);
Result<protocol::AdoptGroupReply> Run(const protocol::AdoptGroup& request, Context& context);
// Until the group is lost, which is the failure that it ends with.
Result<protocol::FollowReply> Run(const protocol::Follow& request, Context& context);
Result<protocol::ProbeRanksReply> Run(const protocol::ProbeRanks& request, Context& context);

}  // namespace emend::worker::server
