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

CallLine* Member::LineOf(std::uint64_t call) {
  for (CallLine& each : lines) {
    if (call != 0 && each.sent_call == call) return &each;
  }
  return nullptr;
}

std::size_t Member::load() const {
  std::size_t calls = 0;
  for (const CallLine& each : lines) calls += each.waiting.size() + (each.under_way ? 1 : 0);
  return calls;
}

void AdvanceLine(const Member& member, CallLine& line) {
  if (line.under_way || line.waiting.empty() || member.lost) return;
  line.under_way = std::move(line.waiting.front());
  line.waiting.pop_front();
  line.under_way->has_turn = true;
  line.under_way->wake.Set();
}

void EndCall(const Member& member, CallLine& line, Status status, std::optional<worker::protocol::ReplyBody> reply) {
  if (const auto call = std::exchange(line.under_way, nullptr)) End(*call, std::move(status), std::move(reply));
  line.sent_call = 0;
  AdvanceLine(member, line);
}

void EndAll(Member& member, const Status& status) {
  for (CallLine& line : member.lines) {
    for (const auto& call : std::exchange(line.waiting, {})) End(*call, status, std::nullopt);
    EndCall(member, line, status, std::nullopt);
  }
}

}  // namespace emend::coordinator::membership
