#include "coordinator/server/submission.h"

#include <algorithm>

#include "coordinator/operations/operations.h"
#include "coordinator/store/scope.h"
#include "storage/base/failpoint.h"
#include "storage/base/reason.h"
#include "storage/history/protection.h"

namespace emend::coordinator::server {
namespace {

using storage::history::Repository;
using storage::records::Operation;
using storage::records::Transaction;

Status CheckNewRepo(storage::kv::KvStore& store, const RepoName& repo) {
  EMEND_RETURN_IF_ERROR(storage::history::CheckRepoName(repo.value()));
  if (!Repository::Open(store, repo).ok()) return OkStatus();
  return {StatusCode::kAlreadyExists,
          "creating the repo \"" + repo.value() +
              "\": there is one of this name already; choose another name"};
}

// What the request names is looked up as it will be when it runs: a typing mistake is told now, not
// when the queue has come to it.
Status CheckNames(storage::kv::KvStore& store, const RepoName& repo, const jobs::Demand& demand,
                  std::string_view revision) {
  EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(store, repo));
  if (!demand.branch.empty()) {
    EMEND_RETURN_IF_ERROR(
        repository.ReadRef(storage::history::RefKind::kBranch, demand.branch).status());
    if (demand.role != jobs::Role::kReads)
      EMEND_RETURN_IF_ERROR(CheckUnprotected(store, repository.record(), demand.branch));
  }
  return revision.empty() ? OkStatus() : repository.Resolve(revision).status();
}

Result<std::optional<Operation>> FindReplay(storage::kv::KvStore& store, const Caller& caller,
                                            const Submission& submission) {
  if (submission.idempotency_key.empty()) return std::optional<Operation>();
  EMEND_ASSIGN_OR_RETURN(const auto known,
                         ReadIdempotency(store, caller.principal, submission.idempotency_key));
  if (!known) return std::optional<Operation>();
  if (known->fingerprint != submission.fingerprint) {
    return Status(StatusCode::kInvalidArgument, "idempotency_mismatch",
                  "the idempotency key \"" + submission.idempotency_key +
                      "\" was used before with another request (operation " +
                      known->operation.value() +
                      "): send the same body again, or choose a new key");
  }
  EMEND_ASSIGN_OR_RETURN(Operation operation,
                         storage::records::ReadOperation(store, known->operation));
  return std::optional<Operation>(std::move(operation));
}

Status PutAccepted(Transaction& transaction, const Caller& caller, const Submission& submission,
                   Operation& operation) {
  EMEND_ASSIGN_OR_RETURN(operation.id, NextOperationId(transaction));
  operation.kind = submission.kind;
  operation.repo = submission.repo.value();
  operation.principal = caller.principal;
  operation.accepted_ms = transaction.time_ms();
  operation.request = submission.body;
  operation.priority = submission.priority;
  if (submission.timeout.count() > 0)
    operation.deadline_ms =
        operation.accepted_ms + std::chrono::milliseconds(submission.timeout).count();
  PutOperation(transaction, operation, "operation.accept");
  if (!submission.idempotency_key.empty()) {
    PutIdempotency(transaction, {submission.idempotency_key, submission.fingerprint, operation.id,
                                 transaction.time_ms()});
  }
  return OkStatus();
}

}  // namespace

Result<std::optional<Operation>> FindBegun(storage::kv::KvStore& store, const Caller& caller,
                                           const Submission& submission) {
  EMEND_ASSIGN_OR_RETURN(const jobs::OperationKind* const kind,
                         FindKind(operations::Kinds(), submission.kind));
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, kind->scope));
  return FindReplay(store, caller, submission);
}

Result<jobs::Demand> CheckSubmission(jobs::JobContext& context, const Submission& submission) {
  EMEND_ASSIGN_OR_RETURN(const jobs::OperationKind* const kind,
                         FindKind(operations::Kinds(), submission.kind));
  EMEND_ASSIGN_OR_RETURN(const auto request, ReadRequest(*kind, submission.body));
  jobs::Demand demand = request->DemandOn(submission.repo.value());
  switch (kind->subject) {
    case jobs::Subject::kNewRepo:
      EMEND_RETURN_IF_ERROR(CheckNewRepo(context.store, submission.repo));
      break;
    case jobs::Subject::kRepo:
      EMEND_RETURN_IF_ERROR(
          CheckNames(context.store, submission.repo, demand, request->Revision()));
      break;
    case jobs::Subject::kStore: break;
  }
  EMEND_RETURN_IF_ERROR(request->Check(context, submission.repo));
  return demand;
}

Result<Accepted> AcceptSubmission(storage::records::Journal& journal, storage::kv::KvStore& store,
                                  const Caller& caller, const Submission& submission) {
  Accepted accepted;
  const auto build = [&](Transaction& transaction) -> Status {
    // Inside the transaction: two requests with one key, at the same moment, must not both begin an
    // operation.
    EMEND_ASSIGN_OR_RETURN(const auto replay, FindReplay(store, caller, submission));
    if (replay) {
      accepted.operation = *replay;
      return Failure(Reason::kIdempotentReplay,
                     "operation " + replay->id.value() + " was begun by this key");
    }
    EMEND_FAILPOINT("submission.before_accept");
    accepted.is_new = true;
    return PutAccepted(transaction, caller, submission, accepted.operation);
  };
  const Status committed = journal.Commit(caller.principal, build).status();
  const Reason why = ReasonOf(committed);
  if (committed.ok() || why == Reason::kIdempotentReplay || why == Reason::kAnchorNotWritten)
    return accepted;
  return committed;
}

}  // namespace emend::coordinator::server
