#include "coordinator/jobs/job_queue.h"

#include <algorithm>
#include <utility>

#include "storage/base/log.h"

namespace emend::coordinator::jobs {
namespace {

using storage::records::Operation;
using storage::records::OperationState;

constexpr std::size_t kKeptMax = 256;
constexpr std::chrono::seconds kJoinTimeout{30};
constexpr std::chrono::milliseconds kRetryWait{200};
constexpr std::chrono::hours kIdle{24};

// Each kind's coroutine, by the request's type.
struct Starter {
  JobInput input;
  Awaitable<Result<JobOutcome>> operator()(core::ImportRequest request) { return RunImport(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::StatisticsRequest request) { return RunStatistics(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::CommitRequest request) { return RunCommit(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::RevertRequest request) { return RunRevert(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::EvaluationRequest request) { return RunEvaluation(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::VerifyRequest request) { return RunVerify(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::ExportRequest request) { return RunExport(std::move(input), std::move(request)); }
  Awaitable<Result<JobOutcome>> operator()(core::FsckRequest request) { return RunFsck(std::move(input), request); }
};

// A new attempt may go better: the worker died, or the branch moved while the batch was solved.
bool MayGoBetter(const Status& failure) {
  return failure.slug() == "worker_lost" || failure.slug() == "stale_head" || failure.slug() == "state_not_live" || failure.slug() == "base_not_loaded" ||
         failure.slug() == "staging_lost";
}

}  // namespace

struct JobQueue::Entry {
  Entry(Runtime& runtime, Operation accepted) : live{std::move(accepted), {}, 0, 0, {}, 1}, cancel(runtime), changed(std::make_shared<Signal>(runtime)) {}

  LiveOperation live;
  Signal cancel;
  std::shared_ptr<Signal> changed;  // replaced with each change: waiters keep the one they wait for
  bool cancelled_by_caller = false;
};

JobQueue::JobQueue(JobContext& context) : context_(context), tasks_(context.runtime), work_(context.runtime), stop_(context.runtime) {}

void JobQueue::Start(std::vector<Operation> unfinished) {
  for (Operation& operation : unfinished) Push(std::move(operation));
  tasks_.Spawn("job_queue", RunAll());
}

Awaitable<bool> JobQueue::Stop() {
  stop_.Set();
  work_.Set();
  if (running_) running_->cancel.Set();
  const SteadyTime deadline = context_.runtime.clock().Now() + kJoinTimeout;
  const bool joined = co_await tasks_.Join(deadline);
  if (!joined) LogWarning("job_queue_still_running_at_stop");
  co_return joined;
}

void JobQueue::Push(Operation operation) {
  operation.request = {};
  const std::string id = operation.id.value();
  auto entry = std::make_shared<Entry>(context_.runtime, std::move(operation));
  entries_[id] = entry;
  waiting_.push_back(std::move(entry));
  work_.Set();
}

const LiveOperation* JobQueue::Find(const OperationId& id) const {
  const auto found = entries_.find(id.value());
  return found == entries_.end() ? nullptr : &found->second->live;
}

Awaitable<void> JobQueue::WaitForChange(OperationId id, std::uint64_t version, SteadyTime deadline) {
  const auto found = entries_.find(id.value());
  if (found == entries_.end() || found->second->live.version > version) co_return;
  const std::shared_ptr<Signal> changed = found->second->changed;
  co_await changed->WaitUntil(deadline);
}

Awaitable<Status> JobQueue::Cancel(OperationId id) {
  const auto found = entries_.find(id.value());
  if (found == entries_.end()) co_return NotFound("cancelling operation " + id.value() + ": it neither waits nor runs");
  const std::shared_ptr<Entry> entry = found->second;
  if (entry->live.operation.finished_ms != 0) {
    co_return Status(StatusCode::kFailedPrecondition, "operation_ended",
                     "cancelling operation " + id.value() + ": it has ended as " + std::string(OperationStateName(entry->live.operation.state)));
  }
  entry->cancelled_by_caller = true;
  entry->cancel.Set();
  if (std::erase(waiting_, entry) == 0) co_return OkStatus();
  co_await RecordFailure(entry, Cancelled());
  KeepEnded(*entry);
  co_return OkStatus();
}

Status JobQueue::Replace(storage::records::Transaction& transaction, Operation operation, const char* event) const {
  EMEND_ASSIGN_OR_RETURN(Operation stored, storage::records::ReadOperation(context_.store, operation.id));
  operation.request = std::move(stored.request);
  PutOperation(transaction, operation, event);
  return OkStatus();
}

void JobQueue::Changed(Entry& entry) {
  ++entry.live.version;
  const auto changed = std::exchange(entry.changed, std::make_shared<Signal>(context_.runtime));
  changed->Set();
}

void JobQueue::KeepEnded(const Entry& entry) {
  ended_.push_back(entry.live.operation.id.value());
  while (ended_.size() > kKeptMax) {
    entries_.erase(ended_.front());
    ended_.pop_front();
  }
}

Awaitable<Status> JobQueue::RunAll() {
  while (!stop_.is_set()) {
    if (waiting_.empty()) {
      work_.Reset();
      co_await work_.WaitUntil(context_.runtime.clock().Now() + kIdle);
      continue;
    }
    running_ = waiting_.front();
    waiting_.pop_front();
    co_await RunOne(running_);
    running_.reset();
  }
  co_return OkStatus();
}

Awaitable<void> JobQueue::RunOne(std::shared_ptr<Entry> entry) {
  Operation& operation = entry->live.operation;
  operation.state = OperationState::kRunning;
  Changed(*entry);
  LogInfo("operation_started", {{"operation", operation.id.value()}, {"kind", operation.kind}, {"repo", operation.repo}});
  const Status ended = co_await RunWithRetries(entry);
  if (!ended.ok() && stop_.is_set() && !entry->cancelled_by_caller) co_return;  // stays accepted in the store, and is run again
  if (!ended.ok()) co_await RecordFailure(entry, ended);
  Changed(*entry);
  KeepEnded(*entry);
  LogInfo("operation_ended",
          {{"operation", operation.id.value()}, {"kind", operation.kind}, {"state", OperationStateName(operation.state)}, {"status", ended}});
}

Awaitable<Status> JobQueue::RunWithRetries(std::shared_ptr<Entry> entry) {
  for (int attempt = 1;; ++attempt) {
    Result<JobOutcome> outcome = co_await Attempt(entry);
    Status ended = outcome.status();
    // The last moment for a cancellation: from here on it is done.
    if (outcome.ok() && entry->cancelled_by_caller) ended = Cancelled();
    if (ended.ok()) ended = co_await Finish(entry, std::move(outcome).value());
    if (ended.ok() || attempt == kAttemptsMax || !MayGoBetter(ended) || entry->cancel.is_set()) co_return ended;
    LogWarning("operation_retried", {{"operation", entry->live.operation.id.value()}, {"attempt", attempt}, {"status", ended}});
    co_await Sleep(context_.runtime, kRetryWait);
  }
}

Awaitable<Result<JobOutcome>> JobQueue::Attempt(std::shared_ptr<Entry> entry) {
  const OperationId id = entry->live.operation.id;
  const auto read = [&]() -> Result<core::OperationRequest> {
    EMEND_ASSIGN_OR_RETURN(const Operation stored, storage::records::ReadOperation(context_.store, id));
    return core::ParseRequest(stored.kind, stored.request);
  };
  Result<core::OperationRequest> request = co_await Blocking(context_.runtime, read);
  if (!request.ok()) co_return request.status();
  JobControl control;
  control.cancel = &entry->cancel;
  control.progress = [this, borrowed = entry.get()](const std::string& phase, std::uint64_t done, std::uint64_t total) {
    if (borrowed->live.phase != phase) borrowed->live.phase_begin = context_.runtime.clock().Now();
    borrowed->live.phase = phase;
    borrowed->live.done = done;
    borrowed->live.total = total;
    Changed(*borrowed);
  };
  JobInput input{&context_, entry->live.operation, std::move(control)};
  Starter start{std::move(input)};
  co_return co_await std::visit(start, std::move(request).value());
}

Awaitable<Status> JobQueue::Finish(std::shared_ptr<Entry> entry, JobOutcome outcome) {
  Operation ended = entry->live.operation;
  ended.state = OperationState::kSucceeded;
  ended.finished_ms = context_.runtime.clock().WallNow().time_since_epoch().count();
  const auto build = [&](storage::records::Transaction& transaction) -> Status {
    if (outcome.apply) EMEND_RETURN_IF_ERROR(outcome.apply(transaction, outcome.result));
    ended.result = outcome.result;
    return Replace(transaction, ended, "operation.succeed");
  };
  Status committed = co_await Blocking(context_.runtime, [&] { return context_.journal.Commit(ended.principal, build).status(); });
  // The change stands in the store even if the anchor could not be written; the journal says so, and writes it at the next start.
  if (committed.slug() == "anchor_not_written") {
    LogError("anchor_not_written", {{"operation", ended.id.value()}, {"status", committed}});
    committed = OkStatus();
  }
  if (committed.ok()) entry->live.operation = std::move(ended);
  co_return committed;
}

Awaitable<void> JobQueue::RecordFailure(std::shared_ptr<Entry> entry, Status failure) {
  Operation ended = entry->live.operation;
  ended.state = entry->cancelled_by_caller && failure.code() == StatusCode::kCancelled ? OperationState::kCancelled : OperationState::kFailed;
  ended.finished_ms = context_.runtime.clock().WallNow().time_since_epoch().count();
  ended.error_code = static_cast<std::uint8_t>(failure.code());
  ended.error_slug = failure.slug();
  ended.error_message = failure.message();
  const auto build = [&](storage::records::Transaction& transaction) {
    return Replace(transaction, ended, ended.state == OperationState::kCancelled ? "operation.cancel" : "operation.fail");
  };
  const Status recorded = co_await Blocking(context_.runtime, [&] { return context_.journal.Commit(ended.principal, build).status(); });
  if (!recorded.ok()) LogError("operation_end_not_recorded", {{"operation", ended.id.value()}, {"status", recorded}});
  entry->live.operation = std::move(ended);
  Changed(*entry);
}

}  // namespace emend::coordinator::jobs
