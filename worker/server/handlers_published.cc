// What is published to this worker, and read by gateways.
#include <algorithm>
#include <chrono>

#include "worker/server/handlers.h"

namespace emend::worker::server {

using protocol::ReplyBody;

std::vector<StateId> Handlers::WantedStates() const {
  if (bases_.empty()) return {};
  const LiveBase& base = *bases_.begin()->second;
  return published_.Wanted(base.id(), base.kept_max());
}

void Handlers::KeepPublished() {
  if (!bases_.empty()) bases_.begin()->second->Keep(WantedStates());
}

Result<ReplyBody> Handlers::Run(const protocol::Publish& request, const Call&) {
  published_.Take(request.publication);
  KeepPublished();
  protocol::PublishReply reply{.has_gateway = has_gateway_, .base = std::nullopt, .missing = {}};
  if (!has_gateway_ || bases_.empty()) return ReplyBody(std::move(reply));
  const LiveBase& base = *bases_.begin()->second;
  reply.base = base.id();
  reply.missing = WantedStates();
  std::erase_if(reply.missing,
                [&base](const StateId& state) { return base.CheckLive(state).ok(); });
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::ReadPublication&, const Call&) {
  const auto is_live = [this](const BaseId& id, const StateId& state) {
    const auto found = bases_.find(id);
    return found != bases_.end() && found->second->CheckLive(state).ok();
  };
  published_.Refresh(is_live, WantedStates());
  protocol::ReadPublicationReply reply{published_.publication(), published_.served(), 0};
  const auto silence = std::chrono::duration_cast<std::chrono::milliseconds>(
      SystemClock().Now() - coordinator_heard_.load());
  reply.silent_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, silence.count()));
  return ReplyBody(std::move(reply));
}

}  // namespace emend::worker::server
