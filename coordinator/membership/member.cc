#include "coordinator/membership/member.h"

#include <utility>

#include "storage/base/reason.h"

namespace emend::coordinator::membership {
namespace {

void End(PendingCall& call, Status status, std::optional<worker::protocol::ReplyBody> reply) {
  call.ended = true;
  call.status = std::move(status);
  call.reply = std::move(reply);
  call.on_progress = nullptr;
  call.on_piece = nullptr;
  call.wake.Set();
}

// A load that was refused or never begun has changed nothing; of one that failed it is not known
// what is left.
std::optional<BaseId> BaseAfter(const PendingCall& load, const Status& status) {
  if (status.ok()) return load.loads;
  const bool is_untouched =
      ReasonOf(status) == Reason::kBaseBusy || status.code() == StatusCode::kCancelled;
  return is_untouched ? load.held : std::nullopt;
}

}  // namespace

Member::Member() {
  for (std::size_t lane = 0; lane < lines.size(); ++lane)
    lines[lane].width = worker::protocol::WidthOf(static_cast<worker::protocol::Lane>(lane));
}

std::shared_ptr<PendingCall> Member::FindSent(std::uint64_t id) const {
  for (const CallLine& each : lines) {
    for (const auto& call : each.under_way) {
      if (id != 0 && call->id == id) return call;
    }
  }
  return nullptr;
}

std::size_t Member::load() const {
  std::size_t calls = 0;
  for (const CallLine& each : lines) calls += each.waiting.size() + each.under_way.size();
  return calls;
}

void AdvanceLine(const Member& member, CallLine& line) {
  while (line.under_way.size() < line.width && !line.waiting.empty() && !member.lost) {
    const auto& next = line.under_way.emplace_back(std::move(line.waiting.front()));
    line.waiting.pop_front();
    next->has_turn = true;
    next->wake.Set();
  }
}

void BeginLoad(Member& member, PendingCall& call, const BaseId& base) {
  call.loads = base;
  call.held = member.base;
  const bool is_refused = member.base.value_or(base) != base &&
                          !member.line(worker::protocol::Lane::kWork).under_way.empty();
  if (!is_refused) member.base = base;
}

void EndCall(Member& member, const std::shared_ptr<PendingCall>& call, Status status,
             std::optional<worker::protocol::ReplyBody> reply) {
  for (CallLine& line : member.lines) {
    if (std::erase(line.under_way, call) == 0) continue;
    if (call->loads) member.base = BaseAfter(*call, status);
    End(*call, std::move(status), std::move(reply));
    AdvanceLine(member, line);
    return;
  }
}

void EndAll(Member& member, const Status& status) {
  for (CallLine& line : member.lines) {
    for (const auto& call : std::exchange(line.waiting, {})) End(*call, status, std::nullopt);
    for (const auto& call : std::exchange(line.under_way, {})) End(*call, status, std::nullopt);
  }
}

}  // namespace emend::coordinator::membership
