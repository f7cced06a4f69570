// The ranks of a group: what rank 0 passes on, and what the others do with it.
#include <string>
#include <utility>

#include "storage/base/log.h"
#include "worker/collective/exchange.h"
#include "worker/model/guard.h"
#include "worker/server/handlers.h"

namespace emend::worker::server {

using protocol::ReplyBody;

// Rank 0 passes a request, or nothing at all to say that it lives.
Result<ReplyBody> Handlers::Run(const protocol::Follow&, const Call&) {
  in_between_ = false;
  if (group_.is_leader())
    return FailedPrecondition("following rank 0: this worker is rank 0, or in no group");
  while (true) EMEND_RETURN_IF_ERROR(FollowNext());
}

Status Handlers::FollowNext() {
  collective::Communicator& ranks = group_.communicator();
  const Call nobodys = NobodysCall();
  EMEND_ASSIGN_OR_RETURN(const std::string bytes,
                         collective::BroadcastBytes(ranks, {}, /*root=*/0));
  if (bytes.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const protocol::Message message, protocol::DecodeMessage(bytes));
  const auto* const request = std::get_if<protocol::Request>(&message);
  if (request == nullptr)
    return DataLoss("following rank 0: it passed on something that is no request");
  const std::string name(protocol::TraitsOf(request->body).name);
  const Result<ReplyBody> done = model::Guarded("following the request " + name,
                                                [&] { return Dispatch(request->body, nobodys); });
  if (!done.ok())
    LogWarning("followed_request_failed",
               {{"request", name}, {"rank", ranks.rank()}, {"status", done.status()}});
  // A failure that all ranks came to is the answer, and the group goes on; a lost group fails here
  // too.
  const Status agreed = collective::AgreeOn(ranks, done.status());
  if (!agreed.ok() && texts_ && std::holds_alternative<protocol::StepTexts>(request->body))
    texts_->EndAll(agreed);
  return agreed.slug() == "group_lost" ? agreed : OkStatus();
}

Status Handlers::Tick() {
  if (group_.size() == 1 || !group_.is_leader()) return OkStatus();
  return collective::BroadcastBytes(group_.communicator(), {}, /*root=*/0).status();
}

Result<ReplyBody> Handlers::Run(const protocol::OpenLine&, const Call&) {
  // their parts are of the old one
  ForgetBases({StatusCode::kUnavailable, "group_lost", "the group of ranks is formed anew"});
  // a new rank knows none of it, and all keep the same
  published_ = Published();
  EMEND_ASSIGN_OR_RETURN(std::string address, group_.Open());
  return ReplyBody(protocol::OpenLineReply{std::move(address)});
}

Result<ReplyBody> Handlers::Run(const protocol::AdoptGroup&, const Call&) {
  return ReplyBody(protocol::AdoptGroupReply{group_place()});
}

Result<ReplyBody> Handlers::Run(const protocol::JoinGroup& request, const Call&) {
  EMEND_RETURN_IF_ERROR(group_.Join(request));
  return ReplyBody(protocol::JoinGroupReply{});
}

}  // namespace emend::worker::server
