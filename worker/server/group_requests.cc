// The ranks of a group: how they become one, and what those above 0 do in it.
#include <string>
#include <utility>

#include "worker/server/requests.h"

namespace emend::worker::server {

Result<protocol::OpenLineReply> Run(const protocol::OpenLine&, Context& context) {
  // their parts are of the old one
  context.slot.Forget(
      {StatusCode::kUnavailable, "group_lost", "the group of ranks is formed again"});
  // a new rank knows none of it, and all keep the same
  context.published = Published();
  EMEND_ASSIGN_OR_RETURN(std::string address, context.group.Open());
  return protocol::OpenLineReply{std::move(address)};
}

Result<protocol::JoinGroupReply> Run(const protocol::JoinGroup& request, Context& context) {
  EMEND_RETURN_IF_ERROR(context.group.Join(request));
  return protocol::JoinGroupReply{};
}

Result<protocol::AdoptGroupReply> Run(const protocol::AdoptGroup&, Context& context) {
  return protocol::AdoptGroupReply{context.group.place()};
}

Result<protocol::FollowReply> Run(const protocol::Follow&, Context& context) {
  if (context.group.is_leader())
    return FailedPrecondition("following rank 0: this worker is rank 0, or in no group");
  context.between.Reset();
  while (true) EMEND_RETURN_IF_ERROR(context.between.FollowNext());
}

Result<protocol::ProbeRanksReply> Run(const protocol::ProbeRanks&, Context& context) {
  return context.group.Probe();
}

}  // namespace emend::worker::server
