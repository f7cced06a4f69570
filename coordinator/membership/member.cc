#include "coordinator/membership/member.h"

#include <utility>

namespace emend::coordinator::membership {
namespace {

void End(PendingCall& call, Status status, std::optional<worker::protocol::ReplyBody> reply) {
  call.ended = true;
  call.status = std::move(status);
  call.reply = std::move(reply);
  call.on_progress = nullptr;
  call.wake.Set();
}

}  // namespace

void AdvanceLine(Member& member) {
  if (member.under_way || member.line.empty() || member.lost) return;
  member.under_way = std::move(member.line.front());
  member.line.pop_front();
  member.under_way->has_turn = true;
  member.under_way->wake.Set();
}

void EndCall(Member& member, Status status, std::optional<worker::protocol::ReplyBody> reply) {
  if (const auto call = std::exchange(member.under_way, nullptr)) End(*call, std::move(status), std::move(reply));
  member.sent_call = 0;
  AdvanceLine(member);
}

void EndAll(Member& member, const Status& status) {
  for (const auto& call : std::exchange(member.line, {})) End(*call, status, std::nullopt);
  EndCall(member, status, std::nullopt);
}

}  // namespace emend::coordinator::membership
