#include "worker/server/passing_on.h"

#include <string>
#include <utility>

#include "storage/base/log.h"
#include "worker/collective/exchange.h"
#include "worker/model/guard.h"

namespace emend::worker::server {

using protocol::ReplyBody;
using protocol::RequestBody;

Result<ReplyBody> RunGuarded(const RequestBody& request, const RunHere& run) {
  const std::string name(protocol::TraitsOf(request).name);
  return model::Guarded("running the request " + name, [&] { return run(request); });
}

Result<ReplyBody> Lead(RankGroup& group, const RequestBody& request, const RunHere& run) {
  collective::Communicator& ranks = group.communicator();
  if (!group.is_leader()) {
    return FailedPrecondition("running the request " +
                              std::string(protocol::TraitsOf(request).name) + " on rank " +
                              std::to_string(ranks.rank()) + ": rank 0 is to be asked");
  }
  EMEND_RETURN_IF_ERROR(
      collective::BroadcastBytes(ranks, protocol::EncodeMessage(protocol::Request{0, request}),
                                 /*root=*/0)
          .status());
  Result<ReplyBody> reply = RunGuarded(request, run);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(ranks, reply.status()));
  return reply;
}

Status PassNothing(RankGroup& group) {
  if (group.size() == 1 || !group.is_leader()) return OkStatus();
  return collective::BroadcastBytes(group.communicator(), {}, /*root=*/0).status();
}

Result<Followed> FollowNext(RankGroup& group, const RunHere& run) {
  collective::Communicator& ranks = group.communicator();
  EMEND_ASSIGN_OR_RETURN(const std::string bytes,
                         collective::BroadcastBytes(ranks, {}, /*root=*/0));
  if (bytes.empty()) return Followed{};
  EMEND_ASSIGN_OR_RETURN(protocol::Message message, protocol::DecodeMessage(bytes));
  auto* const request = std::get_if<protocol::Request>(&message);
  if (request == nullptr)
    return DataLoss("following rank 0: it passed on something that is no request");
  const Result<ReplyBody> done = RunGuarded(request->body, run);
  if (!done.ok())
    LogWarning("followed_request_failed", {{"request", protocol::TraitsOf(request->body).name},
                                           {"rank", ranks.rank()},
                                           {"status", done.status()}});
  return Followed{.request = std::move(request->body),
                  .agreed = collective::AgreeOn(ranks, done.status())};
}

}  // namespace emend::worker::server
