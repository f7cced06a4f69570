// Picking a worker and calling it.
#include <algorithm>
#include <utility>

#include "coordinator/membership/membership_impl.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::membership {
namespace {

using namespace std::chrono_literals;

constexpr auto kCancelPoll = 50ms;
constexpr std::size_t kAffinitiesMax = 1024;
// calls by which another worker must be less busy than the one that has the state live
constexpr std::size_t kStickiness = 8;
// calls that are worth waiting for rather than load a base in place of another: a load may take
// minutes
constexpr std::size_t kDisplacing = 8;
// the same where work on the other base is under way: it must end first, which may take hours
constexpr std::size_t kEvicting = 64;

}  // namespace

Awaitable<Status> MembershipImpl::WaitForWorker(SteadyTime deadline) {
  const Status waited = co_await WaitForAny(deadline);
  if (ReasonOf(waited) == Reason::kNoWorker)
    co_return Status(StatusCode::kDeadlineExceeded, waited.message());
  co_return waited;
}

Awaitable<Status> MembershipImpl::WaitForAny(SteadyTime deadline) {
  while (LeastBusy() == nullptr) {
    if (stopping_) co_return Status(StatusCode::kCancelled, "the coordinator is stopping");
    const bool joined = co_await joined_.WaitUntil(deadline);
    if (joined || LeastBusy() != nullptr) continue;
    std::string seen;
    for (const auto& [id, member] : workers_) seen += (seen.empty() ? "" : ", ") + id.value();
    co_return Status(StatusCode::kUnavailable, "no_worker",
                     "no worker joined at " + address() + " in time; seen before: " +
                         (seen.empty() ? "none" : seen) + IncompleteGroups());
  }
  co_return OkStatus();
}

std::size_t MembershipImpl::Weight(const Member& member, const MaybeWanted& wanted) {
  const bool displaces = wanted && member.base.value_or(wanted->base) != wanted->base;
  if (!displaces) return member.load();
  return member.load() +
         (member.line(worker::protocol::Lane::kWork).under_way.empty() ? kDisplacing : kEvicting);
}

MembershipImpl::MemberPointer MembershipImpl::LeastBusy(const MaybeWanted& wanted) const {
  MemberPointer best;
  for (const auto& [id, member] : workers_) {
    if (!member->info.serves) continue;
    if (!best || Weight(*member, wanted) < Weight(*best, wanted)) best = member;
  }
  return best;
}

MembershipImpl::MemberPointer MembershipImpl::FindLiving(const WorkerId& worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() || !found->second->info.serves ? nullptr : found->second;
}

Awaitable<Result<WorkerId>> MembershipImpl::Pick(Wanted wanted, SteadyTime deadline) {
  if (const auto known = affinities_.find(wanted.state); known != affinities_.end()) {
    const MemberPointer member = FindLiving(known->second);
    const bool fits = member && member->base.value_or(wanted.base) == wanted.base;
    if (fits && member->load() <= Weight(*LeastBusy(wanted), wanted) + kStickiness)
      co_return known->second;
  }
  EMEND_CO_RETURN_IF_ERROR(co_await WaitForAny(deadline));
  if (affinities_.size() >= kAffinitiesMax) affinities_.clear();
  const WorkerId picked = LeastBusy(wanted)->info.worker;
  affinities_[wanted.state] = picked;
  co_return picked;
}

std::vector<WorkerId> MembershipImpl::Spare(const BaseId& base) const {
  std::vector<WorkerId> spare;
  for (const auto& [id, member] : workers_) {
    if (member->info.serves && member->load() == 0 && member->base.value_or(base) == base)
      spare.push_back(id);
  }
  return spare;
}

Awaitable<Result<ReplyBody>> MembershipImpl::Call(RequestBody request, CallOptions options) {
  const SteadyTime deadline = Now() + options.timeout;
  MemberPointer member = FindLiving(options.worker);
  if (!member && !options.worker.value().empty()) {
    co_return Status(StatusCode::kUnavailable, "worker_lost",
                     "calling worker " + options.worker.value() + ": it is not connected");
  }
  if (!member) {
    EMEND_CO_RETURN_IF_ERROR(co_await WaitForAny(deadline));
    member = LeastBusy();
  }
  if (member->line(worker::protocol::TraitsOf(request).lane).waiting.size() >= kQueueMax) {
    co_return Status(StatusCode::kResourceExhausted, "queue_full",
                     "calling worker " + member->info.worker.value() + ": " +
                         std::to_string(kQueueMax) + " calls wait already");
  }
  co_return co_await RunCall(std::move(member), std::move(request), std::move(options), deadline);
}

Awaitable<Status> MembershipImpl::WaitForCall(std::shared_ptr<PendingCall> call, Until until,
                                              SteadyTime deadline, Signal* cancel) {
  while (!call->ended && (until == Until::kEnd || !call->has_turn)) {
    if (cancel != nullptr && cancel->is_set())
      co_return Status(StatusCode::kCancelled, "the call was cancelled");
    if (Now() >= deadline)
      co_return Status(StatusCode::kDeadlineExceeded, "the worker did not answer in time");
    const SteadyTime next = cancel == nullptr ? deadline : std::min(deadline, Now() + kCancelPoll);
    co_await call->wake.WaitUntil(next);
    if (!call->ended && until == Until::kEnd) call->wake.Reset();
  }
  co_return OkStatus();
}

Awaitable<Status> MembershipImpl::EndAbandoned(MemberPointer member,
                                               std::shared_ptr<PendingCall> call,
                                               std::uint64_t id) {
  Envelope cancel = Wrap(*member, worker::protocol::Cancel{id});
  EMEND_CO_RETURN_IF_ERROR(
      co_await member->connection->Send(std::move(cancel), Now() + kSendTimeout));
  const Status ended =
      co_await WaitForCall(call, Until::kEnd, Now() + options_.cancel_patience, nullptr);
  if (ended.ok()) co_return OkStatus();
  const CallLine& work = member->line(worker::protocol::Lane::kWork);
  if (std::ranges::find(work.under_way, call) != work.under_way.end()) {
    Lose(*member, Lost(member->info, "it did not end a cancelled call within " +
                                         std::to_string(options_.cancel_patience.count()) + " ms"));
  } else {
    // A question waits for the work's next report: the work is worth more than the question, and
    // heartbeats say that the worker lives.
    EndCall(*member, call, ended, std::nullopt);
  }
  co_return OkStatus();
}

Awaitable<Result<ReplyBody>> MembershipImpl::RunCall(MemberPointer member, RequestBody request,
                                                     CallOptions options, SteadyTime deadline) {
  // Its calls have ended already; nothing would end another before the deadline.
  if (member->lost) co_return Lost(member->info, "before it was called");
  const std::string name(worker::protocol::TraitsOf(request).name);
  auto call = std::make_shared<PendingCall>(runtime_);
  call->on_progress = std::move(options.on_progress);
  call->on_piece = std::move(options.on_piece);
  CallLine& line = member->line(worker::protocol::TraitsOf(request).lane);
  line.waiting.push_back(call);
  AdvanceLine(*member, line);
  const Status turn = co_await WaitForCall(call, Until::kTurn, deadline, options.cancel);
  if (!turn.ok() && !call->has_turn) {
    std::erase(line.waiting, call);
    co_return turn.WithContext("waiting for worker " + member->info.worker.value() +
                               ", which is busy");
  }
  if (call->ended) co_return call->status;
  const std::uint64_t id = member->next_call++;
  call->id = id;
  ++member->info.calls;
  call->wake.Reset();
  if (const auto* load = std::get_if<worker::protocol::LoadBase>(&request))
    BeginLoad(*member, *call, load->base);
  Envelope envelope = Wrap(*member, worker::protocol::Request{id, std::move(request)});
  const Status sent = co_await member->connection->Send(std::move(envelope), deadline);
  if (sent.code() == StatusCode::kResourceExhausted) {
    EndCall(*member, call, sent, std::nullopt);
  } else if (!sent.ok()) {
    Lose(*member, Lost(member->info, sent.message()));
  }
  const Status waited = co_await WaitForCall(call, Until::kEnd, deadline, options.cancel);
  if (!waited.ok()) {
    // The worker stays busy until it answers; what it answers then is nobody's.
    call->on_progress = nullptr;
    call->on_piece = nullptr;
    if (!member->lost) tasks_.Spawn("cancel_call", EndAbandoned(member, call, id));
    co_return waited.WithContext("calling worker " + member->info.worker.value() + " to " + name);
  }
  if (Allows(call->status, Retry::kRegroup) && member->info.world_size > 1) {
    const Status lost = Lost(member->info, call->status.message());
    Disband(member->info.group, lost, Line::kBroken);
    co_return lost;
  }
  if (!call->status.ok()) co_return call->status;
  if (!call->reply)
    co_return DataLoss("worker " + member->info.worker.value() + " answered " + name +
                       " without a reply");
  co_return std::move(*call->reply);
}

}  // namespace emend::coordinator::membership
