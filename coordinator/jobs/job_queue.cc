#include "coordinator/jobs/job_queue.h"

#include <algorithm>
#include <utility>

#include "storage/base/log.h"

namespace emend::coordinator::jobs {
namespace {

using storage::records::Operation;
using storage::records::OperationState;
using Outcomes = std::vector<JobOutcome>;

constexpr std::size_t kKeptMax = 256;
constexpr std::chrono::seconds kJoinTimeout{30};
constexpr std::chrono::milliseconds kRetryWait{200};
constexpr std::chrono::seconds kRecordWait{1};
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::hours kIdle{24};

Awaitable<Result<Outcomes>> OutcomeOf(Awaitable<Result<JobOutcome>> job) {
  EMEND_CO_ASSIGN_OR_RETURN(JobOutcome outcome, co_await std::move(job));
  co_return Outcomes{std::move(outcome)};
}

std::vector<core::CommitRequest> CommitsOf(std::vector<core::OperationRequest> requests) {
  std::vector<core::CommitRequest> commits;
  for (core::OperationRequest& request : requests) commits.push_back(std::get<core::CommitRequest>(std::move(request)));
  return commits;
}

// Each kind's coroutine, by the type of the first request. Only commits come as several.
struct Starter {
  JobInput input;
  std::vector<Operation> operations;
  std::vector<core::OperationRequest>& requests;

  Awaitable<Result<Outcomes>> operator()(core::CommitRequest&) {
    return RunCommits({input.context, std::move(operations), CommitsOf(std::move(requests)), std::move(input.control)});
  }
  Awaitable<Result<Outcomes>> operator()(core::ImportRequest& request) { return OutcomeOf(RunImport(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::StatisticsRequest& request) { return OutcomeOf(RunStatistics(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::RevertRequest& request) { return OutcomeOf(RunRevert(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::EvaluationRequest& request) { return OutcomeOf(RunEvaluation(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::VerifyRequest& request) { return OutcomeOf(RunVerify(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::ExportRequest& request) { return OutcomeOf(RunExport(std::move(input), std::move(request))); }
  Awaitable<Result<Outcomes>> operator()(core::FsckRequest& request) { return OutcomeOf(RunFsck(std::move(input), request)); }
};

Result<std::vector<core::OperationRequest>> ReadRequests(storage::kv::KvStore& store, const std::vector<Operation>& operations) {
  std::vector<core::OperationRequest> requests;
  for (const Operation& operation : operations) {
    EMEND_ASSIGN_OR_RETURN(const Operation stored, storage::records::ReadOperation(store, operation.id));
    EMEND_ASSIGN_OR_RETURN(core::OperationRequest request, core::ParseRequest(stored.kind, stored.request));
    requests.push_back(std::move(request));
  }
  return requests;
}

bool HasEnded(storage::kv::KvStore& store, const OperationId& id) {
  const Result<Operation> stored = storage::records::ReadOperation(store, id);
  return stored.ok() && stored->finished_ms != 0;
}

// Of an operation as it is stored. A request that does not parse asks for nothing: its run says what is wrong with it.
Demand DemandOfStored(const Operation& operation) {
  const Result<core::OperationRequest> request = core::ParseRequest(operation.kind, operation.request);
  return DemandOf(operation.repo, request.ok() ? *request : core::FsckRequest{});
}

// A new attempt may go better: the worker died, or was taken out, or the branch moved while the batch was solved.
bool MayGoBetter(const Status& failure) {
  return failure.slug() == "worker_lost" || failure.slug() == "stale_head" || failure.slug() == "state_not_live" || failure.slug() == "base_not_loaded" ||
         failure.slug() == "staging_lost" || failure.slug() == "live_bytes_differ";
}

Status QueueFull(std::size_t waiting, const std::string& whose) {
  return {StatusCode::kResourceExhausted, "queue_full", "an operation was submitted while " + std::to_string(waiting) + whose + " wait: try again later"};
}

Status CancelledByCaller() { return {StatusCode::kCancelled, "it was cancelled by its caller"}; }

Status DeadlinePassed(const Operation& operation) {
  return {StatusCode::kDeadlineExceeded, "deadline_passed",
          "it had not ended " + std::to_string((operation.deadline_ms - operation.accepted_ms) / 1000) + " s after it was accepted, as its timeout demands"};
}

}  // namespace

struct JobQueue::Entry {
  Entry(Runtime& runtime, Operation accepted) : live{std::move(accepted), {}, 0, 0, {}, 1}, changed(std::make_shared<Signal>(runtime)) {}

  bool has_ended() const { return live.operation.finished_ms != 0; }

  LiveOperation live;
  std::shared_ptr<Signal> changed;     // replaced with each change: waiters keep the one they wait for
  std::optional<SteadyTime> deadline;  // while it has not ended
  std::optional<Status> taken_out;     // why it shall end without being carried out
  Run* run = nullptr;                  // whose member it is
  bool is_ending = false;              // its end is being written down
  Status unrecorded;                   // why that has not succeeded yet
};

struct JobQueue::Run {
  Run(JobContext& all, WorkerLease::Table& leases)
      : lease(all.membership, leases), context{all.runtime, all.file_system, all.store, all.journal, lease, all.layout}, cancel(all.runtime) {}

  WorkerLease lease;
  JobContext context;                 // what its jobs work with
  std::vector<EntryPointer> members;  // of the attempt under way, in order of acceptance
  Signal cancel;                      // ends the attempt
};

JobQueue::Place::Place(JobQueue& queue, std::string repo) : queue_(&queue), repo_(std::move(repo)) {
  ++queue_->admitted_[repo_];
  ++queue_->admitted_count_;
}

JobQueue::Place::~Place() {
  if (queue_ == nullptr) return;
  --queue_->admitted_count_;
  if (--queue_->admitted_[repo_] == 0) queue_->admitted_.erase(repo_);
}

JobQueue::JobQueue(JobContext& context) : context_(context), tasks_(context.runtime), work_(context.runtime), stop_(context.runtime) {}

void JobQueue::Start(std::vector<Operation> unfinished) {
  for (Operation& operation : unfinished) {
    Demand demand = DemandOfStored(operation);
    Push(std::move(operation), std::move(demand));
  }
  tasks_.Spawn("job_queue", RunAll());
}

Awaitable<bool> JobQueue::Stop() {
  stop_.Set();
  work_.Set();
  for (const RunPointer& run : runs_) run->cancel.Set();
  const SteadyTime deadline = Now() + kJoinTimeout;
  const bool joined = co_await tasks_.Join(deadline);
  if (!joined) LogWarning("job_queue_still_running_at_stop");
  co_return joined;
}

Result<JobQueue::Place> JobQueue::Admit(const std::string& repo) {
  const std::size_t waiting = scheduler_.waiting() + admitted_count_;
  if (waiting >= kQueueMax) return QueueFull(waiting, "");
  const auto admitted = admitted_.find(repo);
  const std::size_t of_repo = scheduler_.waiting(repo) + (admitted == admitted_.end() ? 0 : admitted->second);
  if (of_repo >= kQueueOfRepoMax) return QueueFull(of_repo, repo.empty() ? " of its kind" : " of the repo " + repo);
  return Place(*this, repo);
}

SteadyTime JobQueue::Steady(std::int64_t wall_ms) const {
  const std::int64_t wall_now = context_.runtime.clock().WallNow().time_since_epoch().count();
  return Now() + std::chrono::milliseconds(wall_ms - wall_now);
}

void JobQueue::Push(Operation operation, Demand demand) {
  operation.request = {};
  const OperationId id = operation.id;
  auto entry = std::make_shared<Entry>(context_.runtime, std::move(operation));
  const Operation& accepted = entry->live.operation;
  if (accepted.deadline_ms != 0) entry->deadline = Steady(accepted.deadline_ms);
  scheduler_.Add({id, accepted.priority, Steady(accepted.accepted_ms), std::move(demand)});
  entries_[id.value()] = std::move(entry);
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
  const EntryPointer entry = found->second;
  if (entry->has_ended()) {
    co_return Status(StatusCode::kFailedPrecondition, "operation_ended",
                     "cancelling operation " + id.value() + ": it has ended as " + std::string(OperationStateName(entry->live.operation.state)));
  }
  co_return co_await LetGo(entry, CancelledByCaller());
}

Awaitable<Status> JobQueue::LetGo(EntryPointer entry, Status why) {
  if (!entry->taken_out) entry->taken_out = std::move(why);
  if (entry->run != nullptr) {
    entry->run->cancel.Set();
    co_return OkStatus();
  }
  scheduler_.Remove(entry->live.operation.id);
  co_return co_await EndUndone(entry, *entry->taken_out);
}

Status JobQueue::Replace(storage::records::Transaction& transaction, Operation operation, const char* event) const {
  EMEND_ASSIGN_OR_RETURN(Operation stored, storage::records::ReadOperation(context_.store, operation.id));
  if (stored.finished_ms != 0)
    return {StatusCode::kFailedPrecondition, "operation_ended", "ending operation " + operation.id.value() + ": it has ended already"};
  operation.request = std::move(stored.request);
  PutOperation(transaction, operation, event);
  return OkStatus();
}

void JobQueue::SetPhase(Entry& entry, const std::string& phase, std::uint64_t done, std::uint64_t total) {
  LiveOperation& live = entry.live;
  if (live.phase != phase) live.phase_begin = Now();
  live.phase = phase;
  live.done = done;
  live.total = total;
  Changed(entry);
}

void JobQueue::Changed(Entry& entry) {
  ++entry.live.version;
  const auto changed = std::exchange(entry.changed, std::make_shared<Signal>(context_.runtime));
  changed->Set();
}

void JobQueue::KeepEnded(Entry& entry) {
  const Operation& operation = entry.live.operation;
  entry.deadline.reset();
  entry.run = nullptr;
  Changed(entry);
  LogInfo("operation_ended", {{"operation", operation.id.value()},
                              {"kind", operation.kind},
                              {"state", OperationStateName(operation.state)},
                              {"error", operation.error_slug},
                              {"message", operation.error_message}});
  ended_.push_back(operation.id.value());
  while (ended_.size() > kKeptMax) {
    entries_.erase(ended_.front());
    ended_.pop_front();
  }
}

// ---- Who runs when ------------------------------------------------------------------------------------------------------------------------------------------

Awaitable<Status> JobQueue::RunAll() {
  while (!stop_.is_set()) {
    work_.Reset();
    co_await EndOverdue();
    StartReady();
    co_await work_.WaitUntil(NextLook());
  }
  co_return OkStatus();
}

SteadyTime JobQueue::NextLook() const {
  SteadyTime next = Now() + (scheduler_.waiting() > 0 ? SteadyTime::duration(kLook) : SteadyTime::duration(kIdle));
  for (const auto& [id, entry] : entries_) {
    if (entry->deadline && !entry->taken_out && !entry->is_ending) next = std::min(next, *entry->deadline);
  }
  return next;
}

Awaitable<void> JobQueue::EndOverdue() {
  std::vector<EntryPointer> overdue;
  for (const auto& [id, entry] : entries_) {
    if (entry->deadline && *entry->deadline <= Now()) overdue.push_back(entry);
  }
  for (const EntryPointer& entry : overdue) {
    if (entry->taken_out || entry->is_ending || entry->has_ended()) continue;
    static_cast<void>(co_await LetGo(entry, DeadlinePassed(entry->live.operation)));  // what could not be recorded is tried again
  }
}

void JobQueue::StartReady() {
  if (stop_.is_set()) return;
  const Capacity capacity{.workers = std::max<std::size_t>(1, membership::Serving(context_.membership.Workers()).size()), .local = kLocalRunsMax, .files = 1};
  for (auto started = scheduler_.Next(Now(), capacity); !started.empty(); started = scheduler_.Next(Now(), capacity)) {
    auto run = std::make_shared<Run>(context_, leases_);
    std::vector<EntryPointer> members;
    for (const OperationId& id : started) members.push_back(entries_.at(id.value()));
    SetMembers(*run, std::move(members));
    runs_.insert(run);
    tasks_.Spawn("operation", RunMembers(std::move(run)));
  }
}

// ---- One run ------------------------------------------------------------------------------------------------------------------------------------------------

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
    LogInfo("operation_started", {{"operation", operation.id.value()}, {"kind", operation.kind}, {"repo", operation.repo}, {"together", run->members.size()}});
  }
  const Status ended = co_await RunTogether(run);
  const std::vector<EntryPointer> left = run->members;
  SetMembers(*run, {});
  // What is left when the queue stops stays accepted in the store, and is run again.
  if (left.size() == 1 && !stop_.is_set()) static_cast<void>(co_await EndUndone(left.front(), ended));
  if (left.size() > 1 && !stop_.is_set()) {
    LogWarning("operations_separated", {{"first", first.value()}, {"together", left.size()}, {"status", ended}});
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
  const auto somebody_leaves = [&run] { return std::ranges::any_of(run->members, [](const auto& entry) { return entry->taken_out.has_value(); }); };
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
    if (attempt == kAttemptsMax || !MayGoBetter(ended) || stop_.is_set()) co_return ended;
    LogWarning("operation_retried", {{"operation", run->members.front()->live.operation.id.value()}, {"attempt", attempt}, {"status", ended}});
    ++attempt;
    co_await Sleep(context_.runtime, kRetryWait);
  }
}

Awaitable<void> JobQueue::TakeOut(RunPointer run) {
  std::vector<EntryPointer> leaving;
  std::vector<EntryPointer> staying;
  for (const EntryPointer& entry : run->members) (entry->taken_out ? leaving : staying).push_back(entry);
  SetMembers(*run, std::move(staying));
  if (!stop_.is_set()) run->cancel.Reset();
  for (const EntryPointer& entry : leaving) static_cast<void>(co_await EndUndone(entry, *entry->taken_out));
}

Awaitable<Result<Outcomes>> JobQueue::Attempt(RunPointer run) {
  std::vector<Operation> operations;
  for (const EntryPointer& entry : run->members) operations.push_back(entry->live.operation);
  const auto read = [&] { return ReadRequests(context_.store, operations); };
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<core::OperationRequest> requests, co_await Blocking(context_.runtime, read));
  JobControl control;
  control.cancel = &run->cancel;
  control.progress = [this, borrowed = run.get()](const std::string& phase, std::uint64_t done, std::uint64_t total) {
    for (const EntryPointer& entry : borrowed->members) SetPhase(*entry, phase, done, total);
  };
  JobInput input{&run->context, operations.front(), std::move(control)};
  Starter start{std::move(input), std::move(operations), requests};
  co_return co_await std::visit(start, requests.front());
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
      if (outcomes[i].apply) EMEND_RETURN_IF_ERROR(outcomes[i].apply(transaction, outcomes[i].result));
      ended[i].result = outcomes[i].result;
      EMEND_RETURN_IF_ERROR(Replace(transaction, ended[i], "operation.succeed"));
    }
    return OkStatus();
  };
  Status committed = co_await Blocking(context_.runtime, [&] { return context_.journal.Commit(ended.front().principal, build).status(); });
  // The change stands in the store even if the anchor could not be written; the journal says so, and writes it at the next start.
  if (committed.slug() == "anchor_not_written") {
    LogError("anchor_not_written", {{"operation", ended.front().id.value()}, {"status", committed}});
    committed = OkStatus();
  }
  if (!committed.ok()) {
    // What was reported as failed may stand all the same, and must not be done twice.
    const bool stands = co_await Blocking(context_.runtime, [&] { return HasEnded(context_.store, ended.front().id); });
    if (!stands) co_return committed;
    LogWarning("operation_end_stands", {{"operation", ended.front().id.value()}, {"status", committed}});
  }
  const std::vector<EntryPointer> members = run->members;
  SetMembers(*run, {});
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i]->live.operation = std::move(ended[i]);
    KeepEnded(*members[i]);
  }
  co_return OkStatus();
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
    LogError("operation_end_not_recorded", {{"operation", ended.id.value()}, {"status", recorded.status()}});
    entry->unrecorded = recorded.status().WithContext("recording the end of operation " + ended.id.value() + ", which is tried again until it succeeds");
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
    transaction.batch().UseReserve();  // the request goes with it: a large one may find no room there either
    return Replace(transaction, ended, ended.state == OperationState::kCancelled ? "operation.cancel" : "operation.fail");
  };
  co_return co_await Blocking(context_.runtime, [&]() -> Result<Operation> {
    const Status committed = context_.journal.Commit(ended.principal, build).status();
    if (committed.slug() == "anchor_not_written") LogError("anchor_not_written", {{"operation", ended.id.value()}, {"status", committed}});
    EMEND_ASSIGN_OR_RETURN(Operation stored, storage::records::ReadOperation(context_.store, ended.id));
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
