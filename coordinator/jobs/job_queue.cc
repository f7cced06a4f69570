#include "coordinator/jobs/job_queue_impl.h"

#include <algorithm>

#include "storage/base/log.h"

namespace emend::coordinator::jobs {
namespace {

using storage::records::Operation;

constexpr std::size_t kKeptMax = 256;
constexpr std::chrono::seconds kJoinTimeout{30};
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::hours kIdle{24};

Status QueueFull(std::size_t waiting, const std::string& whose) {
  return {StatusCode::kResourceExhausted, "queue_full",
          "an operation was submitted while " + std::to_string(waiting) + whose +
              " wait: try again later"};
}

Status CancelledByCaller() { return {StatusCode::kCancelled, "it was cancelled by its caller"}; }

Status DeadlinePassed(const Operation& operation) {
  return {StatusCode::kDeadlineExceeded, "deadline_passed",
          "it had not ended " +
              std::to_string((operation.deadline_ms - operation.accepted_ms) / 1000) +
              " s after it was accepted, as its timeout demands"};
}

}  // namespace

JobQueue::Place::Place(JobQueue& queue, std::string repo) : queue_(&queue), repo_(std::move(repo)) {
  ++queue_->admitted_[repo_];
  ++queue_->admitted_count_;
}

JobQueue::Place::~Place() {
  if (queue_ == nullptr) return;
  --queue_->admitted_count_;
  if (--queue_->admitted_[repo_] == 0) queue_->admitted_.erase(repo_);
}

JobQueue::JobQueue(JobContext& context, OperationKinds kinds)
    : context_(context),
      kinds_(kinds),
      tasks_(context.runtime),
      work_(context.runtime),
      stop_(context.runtime) {}

void JobQueue::Start(std::vector<Operation> unfinished) {
  for (Operation& operation : unfinished) {
    Demand demand = DemandOfStored(operation);
    Push(std::move(operation), std::move(demand));
  }
  tasks_.Spawn("job_queue", RunAll());
}

// A request that cannot be read asks for nothing: its run says what is wrong with it.
Demand JobQueue::DemandOfStored(const Operation& operation) const {
  Demand demand{.role = Role::kReads, .pool = Pool::kLocal, .cost = 1, .repo = operation.repo};
  const Result<const OperationKind*> kind = FindKind(kinds_, operation.kind);
  if (!kind.ok()) return demand;
  const auto request = ReadRequest(**kind, operation.request);
  return request.ok() ? (*request)->DemandOn(operation.repo) : demand;
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
  const std::size_t of_repo =
      scheduler_.waiting(repo) + (admitted == admitted_.end() ? 0 : admitted->second);
  if (of_repo >= kQueueOfRepoMax)
    return QueueFull(of_repo, repo.empty() ? " of its kind" : " of the repo " + repo);
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

Awaitable<void> JobQueue::WaitForChange(OperationId id, std::uint64_t version,
                                        SteadyTime deadline) {
  const auto found = entries_.find(id.value());
  if (found == entries_.end() || found->second->live.version > version) co_return;
  const std::shared_ptr<Signal> changed = found->second->changed;
  co_await changed->WaitUntil(deadline);
}

Awaitable<Status> JobQueue::Cancel(OperationId id) {
  const auto found = entries_.find(id.value());
  if (found == entries_.end())
    co_return NotFound("cancelling operation " + id.value() + ": it neither waits nor runs");
  const EntryPointer entry = found->second;
  if (entry->has_ended()) {
    co_return Status(StatusCode::kFailedPrecondition, "operation_ended",
                     "cancelling operation " + id.value() + ": it has ended as " +
                         std::string(OperationStateName(entry->live.operation.state)));
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

Status JobQueue::Replace(storage::records::Transaction& transaction, Operation operation,
                         const char* event) const {
  EMEND_ASSIGN_OR_RETURN(Operation stored,
                         storage::records::ReadOperation(context_.store, operation.id));
  if (stored.finished_ms != 0)
    return {StatusCode::kFailedPrecondition, "operation_ended",
            "ending operation " + operation.id.value() + ": it has ended already"};
  operation.request = std::move(stored.request);
  PutOperation(transaction, operation, event);
  return OkStatus();
}

void JobQueue::SetPhase(Entry& entry, const std::string& phase, std::uint64_t done,
                        std::uint64_t total) {
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
  SteadyTime next = Now() + (scheduler_.waiting() > 0 ? SteadyTime::duration(kLook)
                                                      : SteadyTime::duration(kIdle));
  for (const auto& [id, entry] : entries_) {
    if (entry->deadline && !entry->taken_out && !entry->is_ending)
      next = std::min(next, *entry->deadline);
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
    // what could not be recorded is tried again
    static_cast<void>(co_await LetGo(entry, DeadlinePassed(entry->live.operation)));
  }
}

void JobQueue::StartReady() {
  if (stop_.is_set()) return;
  const Capacity capacity{
      .workers = std::max<std::size_t>(1, membership::Serving(context_.workers.Workers()).size()),
      .local = kLocalRunsMax,
      .files = 1};
  for (auto started = scheduler_.Next(Now(), capacity); !started.empty();
       started = scheduler_.Next(Now(), capacity)) {
    auto run = std::make_shared<Run>(context_, leases_);
    std::vector<EntryPointer> members;
    for (const OperationId& id : started) members.push_back(entries_.at(id.value()));
    SetMembers(*run, std::move(members));
    runs_.insert(run);
    tasks_.Spawn("operation", RunMembers(std::move(run)));
  }
}

}  // namespace emend::coordinator::jobs
