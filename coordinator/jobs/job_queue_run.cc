// One run of a JobQueue: its members together, then each alone, and their ends on record.
#include <algorithm>
#include <utility>

#include "coordinator/jobs/job_queue_impl.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::jobs {
namespace {

using storage::records::Operation;
using storage::records::OperationState;

constexpr std::chrono::milliseconds kRetryWait{200};
constexpr std::chrono::seconds kRecordWait{1};

bool HasEnded(storage::kv::KvStore& store, const OperationId& id) {
  const Result<Operation> stored = storage::records::ReadOperation(store, id);
  return stored.ok() && stored->finished_ms != 0;
}

}  // namespace

void JobQueue::SetMembers(Run& run, std::vector<EntryPointer> members) {
  for (const EntryPointer& entry : run.members) entry->run = nullptr;
  run.members = std::move(members);
  for (const EntryPointer& entry : run.members) entry->run = &run;
}

Awaitable<Status> JobQueue::RunMembers(RunPointer run) {
  const OperationId first = run->members.front()->live.operation.id;
  for (const EntryPointer& entry : run->members) {
    Operation& operation = entry->live.operation;
    operation.state = OperationState::kRunning;
    Changed(*entry);
    LogInfo("operation_started", {{"operation", operation.id.value()},
                                  {"kind", operation.kind},
                                  {"repo", operation.repo},
                                  {"together", run->members.size()}});
  }
  const Status ended = co_await RunTogether(run);
  const std::vector<EntryPointer> left = run->members;
  SetMembers(*run, {});
  // What is left when the queue stops stays accepted in the store, and is run again.
  if (left.size() == 1 && !stop_.is_set())
    static_cast<void>(co_await EndUndone(left.front(), ended));
  if (left.size() > 1 && !stop_.is_set()) {
    LogWarning("operations_separated",
               {{"first", first.value()}, {"together", left.size()}, {"status", ended}});
    co_await RunOneByOne(run, left);
  }
  scheduler_.End(first);
  runs_.erase(run);
  work_.Set();
  co_return OkStatus();
}

Awaitable<void> JobQueue::RunOneByOne(RunPointer run, std::vector<EntryPointer> members) {
  for (const EntryPointer& entry : members) {
    if (stop_.is_set()) co_return;
    if (entry->taken_out) continue;  // it ended while it waited for its turn
    SetMembers(*run, {entry});
    const Status ended = co_await RunTogether(run);
    const bool is_left = !run->members.empty();
    SetMembers(*run, {});
    if (is_left && !stop_.is_set()) static_cast<void>(co_await EndUndone(entry, ended));
  }
}

Awaitable<Status> JobQueue::RunTogether(RunPointer run) {
  const auto somebody_leaves = [&run] {
    return std::ranges::any_of(run->members,
                               [](const auto& entry) { return entry->taken_out.has_value(); });
  };
  for (int attempt = 1;;) {
    co_await TakeOut(run);
    if (run->members.empty()) co_return OkStatus();
    Result<Outcomes> outcomes = co_await Attempt(run);
    // The last moment for a cancellation: from here on it is done.
    if (somebody_leaves()) continue;
    Status ended = outcomes.status();
    if (ended.ok()) ended = co_await Finish(run, std::move(outcomes).value());
    if (ended.ok()) co_return ended;
    if (somebody_leaves()) continue;
    if (attempt == kAttemptsMax || !Allows(ended, Retry::kRerun) || stop_.is_set()) co_return ended;
    LogWarning("operation_retried", {{"operation", run->members.front()->live.operation.id.value()},
                                     {"attempt", attempt},
                                     {"status", ended}});
    ++attempt;
    co_await Sleep(context_.runtime, kRetryWait);
  }
}

Awaitable<void> JobQueue::TakeOut(RunPointer run) {
  std::vector<EntryPointer> leaving;
  std::vector<EntryPointer> staying;
  for (const EntryPointer& entry : run->members)
    (entry->taken_out ? leaving : staying).push_back(entry);
  SetMembers(*run, std::move(staying));
  if (!stop_.is_set()) run->cancel.Reset();
  for (const EntryPointer& entry : leaving)
    static_cast<void>(co_await EndUndone(entry, *entry->taken_out));
}

Result<std::vector<std::shared_ptr<const OperationRequest>>> JobQueue::ReadRequests(
    const std::vector<Operation>& operations) const {
  std::vector<std::shared_ptr<const OperationRequest>> requests;
  for (const Operation& operation : operations) {
    EMEND_ASSIGN_OR_RETURN(const Operation stored,
                           storage::records::ReadOperation(context_.store, operation.id));
    EMEND_ASSIGN_OR_RETURN(const OperationKind* const kind, FindKind(kinds_, stored.kind));
    EMEND_ASSIGN_OR_RETURN(requests.emplace_back(), ReadRequest(*kind, stored.request));
  }
  return requests;
}

Awaitable<Result<Outcomes>> JobQueue::Attempt(RunPointer run) {
  RunInput input{.context = &run->context, .operations = {}, .requests = {}, .control = {}};
  for (const EntryPointer& entry : run->members) input.operations.push_back(entry->live.operation);
  const auto read = [&] { return ReadRequests(input.operations); };
  EMEND_CO_ASSIGN_OR_RETURN(input.requests, co_await Blocking(context_.runtime, read));
  input.control.cancel = &run->cancel;
  input.control.progress = [this, borrowed = run.get()](const std::string& phase,
                                                        std::uint64_t done, std::uint64_t total) {
    for (const EntryPointer& entry : borrowed->members) SetPhase(*entry, phase, done, total);
  };
  const std::shared_ptr<const OperationRequest> first = input.requests.front();
  co_return co_await first->Run(std::move(input));
}

Awaitable<Status> JobQueue::Finish(RunPointer run, Outcomes outcomes) {
  std::vector<Operation> ended;
  for (const EntryPointer& entry : run->members) {
    Operation& operation = ended.emplace_back(entry->live.operation);
    operation.state = OperationState::kSucceeded;
    operation.finished_ms = context_.runtime.clock().WallNow().time_since_epoch().count();
  }
  const auto build = [&](storage::records::Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < ended.size(); ++i) {
      transaction.ActAs(ended[i].principal);
      if (outcomes[i].apply)
        EMEND_RETURN_IF_ERROR(outcomes[i].apply(transaction, outcomes[i].result));
      ended[i].result = outcomes[i].result;
      EMEND_RETURN_IF_ERROR(Replace(transaction, ended[i], "operation.succeed"));
    }
    return OkStatus();
  };
  Status committed = co_await Blocking(context_.runtime, [&] {
    return context_.journal.Commit(ended.front().principal, build).status();
  });
  // The change stands in the store even if the anchor could not be written; the journal says so,
  // and writes it at the next start.
  if (ReasonOf(committed) == Reason::kAnchorNotWritten) {
    LogError("anchor_not_written",
             {{"operation", ended.front().id.value()}, {"status", committed}});
    committed = OkStatus();
  }
  if (!committed.ok()) {
    // What was reported as failed may stand all the same, and must not be done twice.
    const bool stands = co_await Blocking(
        context_.runtime, [&] { return HasEnded(context_.store, ended.front().id); });
    if (!stands) co_return committed;
    LogWarning("operation_end_stands",
               {{"operation", ended.front().id.value()}, {"status", committed}});
  }
  co_await CleanUp(std::move(outcomes));
  const std::vector<EntryPointer> members = run->members;
  SetMembers(*run, {});
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i]->live.operation = std::move(ended[i]);
    KeepEnded(*members[i]);
  }
  co_return OkStatus();
}

Awaitable<void> JobQueue::CleanUp(Outcomes outcomes) {
  for (const JobOutcome& outcome : outcomes) {
    if (!outcome.clean_up) continue;
    const Status cleaned = co_await Blocking(context_.runtime, outcome.clean_up);
    if (!cleaned.ok()) LogWarning("clean_up_failed", {{"status", cleaned}});
  }
}

Awaitable<Status> JobQueue::EndUndone(EntryPointer entry, Status failure) {
  if (std::exchange(entry->is_ending, true)) co_return entry->unrecorded;
  Operation ended = entry->live.operation;
  const bool is_cancelled = entry->taken_out && failure.code() == StatusCode::kCancelled;
  ended.state = is_cancelled ? OperationState::kCancelled : OperationState::kFailed;
  ended.finished_ms = context_.runtime.clock().WallNow().time_since_epoch().count();
  ended.error_code = static_cast<std::uint8_t>(failure.code());
  ended.error_slug = failure.slug();
  ended.error_message = failure.message();
  Result<Operation> recorded = co_await RecordUndone(ended);
  if (!recorded.ok()) {
    LogError("operation_end_not_recorded",
             {{"operation", ended.id.value()}, {"status", recorded.status()}});
    entry->unrecorded =
        recorded.status().WithContext("recording the end of operation " + ended.id.value() +
                                      ", which is tried again until it succeeds");
    SetPhase(*entry, "waiting to record its end: " + recorded.status().message(), 0, 0);
    unrecorded_.emplace_back(entry, std::move(ended));
    if (unrecorded_.size() == 1) tasks_.Spawn("record_ends", RecordLater());
    co_return entry->unrecorded;
  }
  entry->live.operation = std::move(recorded).value();
  KeepEnded(*entry);
  co_return OkStatus();
}

Awaitable<Result<Operation>> JobQueue::RecordUndone(Operation ended) const {
  const auto build = [&](storage::records::Transaction& transaction) {
    // the request goes with it: a large one may find no room there either
    transaction.batch().UseReserve();
    return Replace(
        transaction, ended,
        ended.state == OperationState::kCancelled ? "operation.cancel" : "operation.fail");
  };
  co_return co_await Blocking(context_.runtime, [&]() -> Result<Operation> {
    const Status committed = context_.journal.Commit(ended.principal, build).status();
    if (ReasonOf(committed) == Reason::kAnchorNotWritten)
      LogError("anchor_not_written", {{"operation", ended.id.value()}, {"status", committed}});
    EMEND_ASSIGN_OR_RETURN(Operation stored,
                           storage::records::ReadOperation(context_.store, ended.id));
    if (stored.finished_ms == 0) return committed;
    stored.request = {};
    return stored;
  });
}

Awaitable<Status> JobQueue::RecordLater() {
  bool stopping = co_await stop_.WaitUntil(Now() + kRecordWait);
  while (!stopping && !unrecorded_.empty()) {
    Result<Operation> recorded = co_await RecordUndone(unrecorded_.front().second);
    if (recorded.ok()) {
      const EntryPointer entry = std::move(unrecorded_.front().first);
      unrecorded_.pop_front();
      entry->live.operation = std::move(recorded).value();
      KeepEnded(*entry);
    } else {
      stopping = co_await stop_.WaitUntil(Now() + kRecordWait);
    }
  }
  co_return OkStatus();  // what is left at a stop is run again at the next start
}

}  // namespace emend::coordinator::jobs
