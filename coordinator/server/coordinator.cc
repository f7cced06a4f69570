#include "coordinator/server/coordinator.h"

#include "coordinator/jobs/job_queue.h"
#include "coordinator/operations/operations.h"
#include "coordinator/server/completions.h"
#include "coordinator/server/diagnosis.h"
#include "coordinator/server/diff.h"
#include "coordinator/server/publisher.h"
#include "coordinator/server/submission.h"
#include "coordinator/store/identity.h"
#include "coordinator/store/refs.h"
#include "coordinator/store/scope.h"
#include "coordinator/store/tokens.h"
#include "storage/base/log.h"

namespace emend::coordinator::server {
namespace {

using storage::history::Repository;
using storage::records::Journal;
using storage::records::Operation;
using storage::records::OperationState;

// What Start has opened, in the order in which it depends on each other.
struct Parts {
  core::StoreLayout layout;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<membership::Membership> membership;
  std::vector<Operation> unfinished;
};

double EtaSeconds(const jobs::LiveOperation& live, SteadyTime now) {
  if (live.done == 0 || live.total <= live.done) return -1;
  const double elapsed = std::chrono::duration<double>(now - live.phase_begin).count();
  return elapsed / static_cast<double>(live.done) * static_cast<double>(live.total - live.done);
}

class CoordinatorImpl final : public Coordinator {
 public:
  CoordinatorImpl(const Environment& environment, Parts parts)
      : environment_(environment),
        layout_(std::move(parts.layout)),
        worker_token_file_(layout_.worker_token_file()),
        admin_token_file_(layout_.admin_token_file()),
        journal_(std::move(parts.journal)),
        membership_(std::move(parts.membership)),
        context_{*environment.runtime, *environment.file_system,
                 *environment.store,   *journal_,
                 *membership_,         layout_},
        stop_(*environment.runtime),
        queue_(context_, operations::Kinds()),
        completions_(context_),
        publisher_(context_) {
    queue_.Start(std::move(parts.unfinished));
    publisher_.Start();
  }

  Awaitable<bool> Stop() override {
    stopping_ = true;
    stop_.Set();
    const bool told = co_await publisher_.Stop();
    const bool texts_ended = co_await completions_.Stop();
    const bool jobs_ended = co_await queue_.Stop();
    co_await membership_->Stop();
    co_return told&& texts_ended&& jobs_ended;
  }

  std::string worker_address() const override { return membership_->address(); }
  const std::string& worker_token_file() const override { return worker_token_file_; }
  const std::string& admin_token_file() const override { return admin_token_file_; }

  Awaitable<Result<Caller>> Authenticate(std::string secret) override {
    co_return co_await Blocking(runtime(),
                                [this, &secret] { return store::Authenticate(store(), secret); });
  }

  Awaitable<Result<OperationView>> Submit(Caller caller, Submission submission) override;
  Awaitable<Result<OperationView>> ReadOperation(OperationId id) override;
  Awaitable<Result<OperationView>> WaitForChange(OperationId id, std::uint64_t version,
                                                 SteadyTime deadline) override;
  Awaitable<Result<OperationView>> Cancel(Caller caller, OperationId id) override;
  Awaitable<Result<std::shared_ptr<CompletionStream>>> Complete(
      Caller caller, CompletionRequest request) override {
    EMEND_CO_RETURN_IF_ERROR(store::CheckScope(caller, "ask"));
    co_return co_await completions_.Begin(std::move(request));
  }
  Awaitable<Result<std::vector<ServedModel>>> ListModels() override {
    co_return co_await Blocking(runtime(), [this] { return store::ListModels(store()); });
  }

  Awaitable<Result<std::vector<OperationView>>> ListOperations(OperationId before,
                                                               std::size_t count_max) override;
  Journal& journal() override { return *journal_; }
  Awaitable<Result<DiffReport>> Diff(RepoName repo, std::string from, std::string to) override {
    co_return co_await Blocking(runtime(), [&]() -> Result<DiffReport> {
      EMEND_ASSIGN_OR_RETURN(const Repository opened, Repository::Open(store(), repo));
      return DiffCommits(layout_, opened, from, to);
    });
  }

  std::vector<membership::WorkerInfo> Workers() const override { return membership_->Workers(); }
  Awaitable<Result<Diagnosis>> Diagnose(Caller caller) override {
    EMEND_CO_RETURN_IF_ERROR(store::CheckScope(caller, "admin"));
    co_return co_await server::Diagnose(runtime(), *membership_, layout_);
  }
  Status Ready() const override {
    if (stopping_) return Unavailable("emendd is stopping");
    if (!membership::Serving(membership_->Workers()).empty()) return OkStatus();
    return Unavailable("no worker serves: none is connected, or no group has all its ranks");
  }

 private:
  Runtime& runtime() { return *environment_.runtime; }
  storage::kv::KvStore& store() { return *environment_.store; }

  using Places = std::map<OperationId, std::size_t>;

  OperationView ViewOf(const jobs::LiveOperation& live, const Places& places) {
    OperationView view{
        live.operation,
        {live.phase, live.done, live.total, EtaSeconds(live, runtime().clock().Now())},
        live.version,
        {}};
    if (const auto place = places.find(live.operation.id); place != places.end())
      view.position = place->second;
    return view;
  }

  const Environment environment_;
  const core::StoreLayout layout_;
  const std::string worker_token_file_;
  const std::string admin_token_file_;
  const std::unique_ptr<Journal> journal_;
  const std::unique_ptr<membership::Membership> membership_;
  jobs::JobContext context_;
  Signal stop_;           // owned by the executor
  jobs::JobQueue queue_;  // owned by the executor
  Completions completions_;
  Publisher publisher_;
  bool stopping_ = false;  // owned by the executor
};

Awaitable<Result<OperationView>> CoordinatorImpl::Submit(Caller caller, Submission submission) {
  if (stopping_)
    co_return Unavailable(
        "an operation was submitted while emendd is stopping: send it again to the next one");
  EMEND_CO_ASSIGN_OR_RETURN(const auto begun, co_await Blocking(runtime(), [&] {
                              return FindBegun(store(), caller, submission);
                            }));
  if (begun) co_return co_await ReadOperation(begun->id);
  const Result<jobs::JobQueue::Place> place = queue_.Admit(submission.repo.value());
  if (!place.ok()) co_return place.status();
  EMEND_CO_ASSIGN_OR_RETURN(jobs::Demand demand, co_await Blocking(runtime(), [&] {
                              return CheckSubmission(context_, submission);
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(Accepted accepted, co_await Blocking(runtime(), [&] {
                              return AcceptSubmission(*journal_, store(), caller, submission);
                            }));
  const OperationId id = accepted.operation.id;
  if (accepted.is_new) {
    LogInfo("operation_accepted", {{"operation", id.value()},
                                   {"kind", submission.kind},
                                   {"repo", submission.repo.value()},
                                   {"principal", caller.principal.name},
                                   {"priority", PriorityName(submission.priority)}});
    queue_.Push(std::move(accepted.operation), std::move(demand));
  }
  co_return co_await ReadOperation(id);
}

Awaitable<Result<OperationView>> CoordinatorImpl::ReadOperation(OperationId id) {
  if (const jobs::LiveOperation* live = queue_.Find(id)) {
    const bool waits = live->operation.state == OperationState::kAccepted;
    co_return ViewOf(*live, waits ? queue_.Places() : Places());
  }
  EMEND_CO_ASSIGN_OR_RETURN(Operation operation, co_await Blocking(runtime(), [&] {
                              return storage::records::ReadOperation(store(), id);
                            }));
  operation.request = {};
  co_return OperationView{std::move(operation), {}, 1, {}};
}

Awaitable<Result<std::vector<OperationView>>> CoordinatorImpl::ListOperations(
    OperationId before, std::size_t count_max) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<Operation> stored, co_await Blocking(runtime(), [&] {
                              return storage::records::ListOperations(store(), before, count_max);
                            }));
  std::vector<OperationView> views;
  const Places places = queue_.Places();
  for (Operation& operation : stored) {
    // The store knows an operation from its acceptance to its end; what lies between, the queue
    // does.
    const jobs::LiveOperation* const live = queue_.Find(operation.id);
    views.push_back(live != nullptr ? ViewOf(*live, places)
                                    : OperationView{std::move(operation), {}, 1, {}});
  }
  co_return views;
}

Awaitable<Result<OperationView>> CoordinatorImpl::WaitForChange(OperationId id,
                                                                std::uint64_t version,
                                                                SteadyTime deadline) {
  co_await queue_.WaitForChange(id, version, deadline);
  co_return co_await ReadOperation(id);
}

Awaitable<Result<OperationView>> CoordinatorImpl::Cancel(Caller caller, OperationId id) {
  EMEND_CO_ASSIGN_OR_RETURN(const OperationView view, co_await ReadOperation(id));
  if (view.operation.principal.name != caller.principal.name)
    EMEND_CO_RETURN_IF_ERROR(store::CheckScope(caller, "admin"));
  if (view.operation.finished_ms != 0) {
    co_return Status(StatusCode::kFailedPrecondition, "operation_ended",
                     "cancelling operation " + id.value() + ": it has ended as " +
                         std::string(OperationStateName(view.operation.state)));
  }
  EMEND_CO_RETURN_IF_ERROR(co_await queue_.Cancel(id));
  co_return co_await ReadOperation(id);
}

}  // namespace

Result<std::unique_ptr<Coordinator>> Coordinator::Start(const Environment& environment,
                                                        const CoordinatorOptions& options) {
  Parts parts;
  parts.layout = {options.folder, options.model_roots, options.shared, options.worker_token_file};
  EMEND_RETURN_IF_ERROR(environment.file_system->CreateFolders(options.folder));
  EMEND_ASSIGN_OR_RETURN(parts.journal,
                         Journal::Open(*environment.store, *environment.file_system,
                                       environment.runtime->clock(), parts.layout.anchor()));
  Journal* const journal = parts.journal.get();
  membership::MembershipOptions members;
  EMEND_ASSIGN_OR_RETURN(members.store_epoch, store::RaiseEpoch(*journal, *environment.store));
  EMEND_RETURN_IF_ERROR(store::EnsureAdminToken(*journal, *environment.store,
                                                *environment.file_system,
                                                environment.runtime->random(), parts.layout));
  EMEND_ASSIGN_OR_RETURN(members.token,
                         store::EnsureWorkerToken(*environment.file_system,
                                                  environment.runtime->random(), parts.layout));
  EMEND_ASSIGN_OR_RETURN(members.generations, store::ReadGenerations(*environment.store));
  members.heartbeat = options.heartbeat;
  members.persist_generation = [journal](const std::string& group, std::uint64_t generation) {
    return store::PutGeneration(*journal, group, generation);
  };
  EMEND_ASSIGN_OR_RETURN(parts.unfinished, storage::records::ListUnfinished(*environment.store));
  parts.membership =
      membership::NewMembership(*environment.runtime, *environment.transport, std::move(members));
  EMEND_RETURN_IF_ERROR(parts.membership->Start(options.worker_address));
  LogInfo("coordinator_started", {{"folder", options.folder},
                                  {"workers_at", parts.membership->address()},
                                  {"operations_to_run", parts.unfinished.size()}});
  return std::unique_ptr<Coordinator>(
      std::make_unique<CoordinatorImpl>(environment, std::move(parts)));
}

}  // namespace emend::coordinator::server
