// What is published to this worker, and read by gateways.
#include <algorithm>
#include <chrono>

#include "worker/server/requests.h"

namespace emend::worker::server {

Result<protocol::PublishReply> Run(const protocol::Publish& request, Context& context) {
  context.published.Take(request.publication);
  context.slot.Keep(context.published);
  const LiveBase* const base = context.slot.held();
  protocol::PublishReply reply{
      .has_gateway = context.gateways.are_served, .base = std::nullopt, .missing = {}};
  if (!reply.has_gateway || base == nullptr) return reply;
  reply.base = base->id();
  reply.missing = context.slot.Wanted(context.published);
  std::erase_if(reply.missing,
                [base](const StateId& state) { return base->CheckLive(state).ok(); });
  return reply;
}

Result<protocol::ReadPublicationReply> Run(const protocol::ReadPublication&, Context& context) {
  const auto is_live = [&context](const BaseId& id, const StateId& state) {
    const Result<LiveBase*> found = context.slot.Find(id);
    return found.ok() && (*found)->CheckLive(state).ok();
  };
  context.published.Refresh(is_live, context.slot.Wanted(context.published));
  protocol::ReadPublicationReply reply{context.published.publication(), context.published.served(),
                                       0};
  const auto silence = std::chrono::duration_cast<std::chrono::milliseconds>(
      SystemClock().Now() - context.gateways.coordinator_heard.load());
  reply.silent_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, silence.count()));
  return reply;
}

}  // namespace emend::worker::server
