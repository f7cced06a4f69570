#include "worker/server/handlers.h"

#include <string>

#include "storage/base/failpoint.h"
#include "storage/base/reason.h"
#include "worker/model/guard.h"
#include "worker/server/passing_on.h"

namespace emend::worker::server {

using protocol::ReplyBody;
using protocol::RequestBody;

Handlers::Handlers(const LiveBaseOptions& options, RankGroupOptions group)
    : options_(options),
      group_(std::move(group)),
      between_(group_, slot_,
               {.handle = [this](const RequestBody& request,
                                 const Call& call) { return Handle(request, call); },
                .follow_next = [this] { return FollowNext(); }}) {}

Result<ReplyBody> Handlers::Handle(const RequestBody& request, const Call& call) {
  const protocol::RequestTraits& traits = protocol::TraitsOf(request);
  const std::string name(traits.name);
  return model::Guarded("running the request " + name, [&]() -> Result<ReplyBody> {
    if (call.cancelled->load())
      return Status(StatusCode::kCancelled, "the coordinator cancelled the request");
    between_.NoteBegin();
    EMEND_FAILPOINT("worker." + name + ".received");
    const auto run = [&](const RequestBody& each) { return RunHere(each, call); };
    const bool leads = group_.size() > 1 && traits.fan_out == protocol::FanOut::kAllRanks;
    if (leads) between_.NotePassedOn();
    EMEND_ASSIGN_OR_RETURN(ReplyBody reply, leads ? Lead(group_, request, run) : run(request));
    between_.NoteDone(request);
    EMEND_FAILPOINT("worker." + name + ".before_reply");
    return reply;
  });
}

Result<ReplyBody> Handlers::RunHere(const RequestBody& request, const Call& call) {
  Context context{.options = options_,
                  .group = group_,
                  .slot = slot_,
                  .published = published_,
                  .gateways = gateways_,
                  .between = between_,
                  .call = call};
  return RunRequest(request, context);
}

Status Handlers::FollowNext() {
  const Call nobodys = NobodysCall();
  const auto run = [&](const RequestBody& request) { return RunHere(request, nobodys); };
  EMEND_ASSIGN_OR_RETURN(const Followed followed, server::FollowNext(group_, run));
  const bool is_step =
      followed.request && std::holds_alternative<protocol::StepTexts>(*followed.request);
  if (is_step && !followed.agreed.ok() && slot_.held() != nullptr)
    slot_.texts().EndAll(followed.agreed);
  return ReasonOf(followed.agreed) == Reason::kGroupLost ? followed.agreed : OkStatus();
}

Status Handlers::Tick() { return PassNothing(group_); }

}  // namespace emend::worker::server
