// Service: everything emendd can do, as one interface without HTTP in it. api/rest puts it on the
// wire; tests call it directly.
//
// Long work is submitted and becomes an operation: validated, stored together with its idempotency
// key in one synced batch, then answered; it runs when the scheduler says so, survives a restart,
// and ends with a result or a reason. What is recorded is read where it lies, and seen as last
// committed.
//
//   EMEND_CO_ASSIGN_OR_RETURN(OperationView accepted, co_await service.Submit(caller, {.kind =
//       "commit", .repo = repo, .body = json}));
//   EMEND_CO_ASSIGN_OR_RETURN(OperationView ended, co_await service.WaitForChange(
//       accepted.operation.id, accepted.version, deadline));
//
// Used on the runtime's executor only; blocking work goes to the pool by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "coordinator/membership/membership.h"
#include "storage/base/runtime.h"
#include "storage/history/repository.h"
#include "storage/records/operations.h"

namespace emend::coordinator::server {

using answers::Caller;
using answers::CompletionPiece;
using answers::CompletionRequest;
using answers::CompletionStream;
using answers::ServedModel;

// A request: its kind is a row of coordinator/operations, its body is what that kind reads
// (docs/reference/operations.md).
struct Submission {
  std::string kind;
  RepoName repo;                // the repo's name; empty for fsck
  std::string body;             // JSON; unknown fields are refused by JSON pointer
  std::string idempotency_key;  // empty: none
  Digest fingerprint;           // of method, path and body; with an idempotency key
  storage::records::Priority priority = storage::records::Priority::kNormal;
  // from acceptance: it then ends as failed ("deadline_passed"), waiting or running; 0: none
  std::chrono::seconds timeout{0};
};

struct OperationProgress {
  std::string phase;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  double eta_seconds = -1;  // negative: unknown
};

struct OperationView {
  storage::records::Operation operation;
  OperationProgress progress;
  std::uint64_t version = 0;  // rises with every change of state or progress
  // while it waits: how many are before it, by urgency and acceptance
  std::optional<std::size_t> position;
};

// What `emend doctor` shows.
struct GroupDiagnosis {
  std::string group;
  worker::protocol::ProbeRanksReply probe;
};
struct Diagnosis {
  std::vector<GroupDiagnosis> groups;                 // that serve
  std::vector<worker::protocol::ProbeAdvice> advice;  // about what emendd itself sees
  std::uint64_t disk_free_bytes = 0;                  // where the store lies
};

// A fact that one side has and the other has not, or has otherwise.
struct FactChange {
  enum class Kind { kAdded, kRemoved, kChanged };
  Kind kind = Kind::kAdded;
  storage::objects::Fact fact;              // the newer side's, or the removed one
  std::optional<std::string> other_target;  // of a changed fact: the older side's
  EditId edit;
};
struct TensorChange {
  std::string tensor;
  std::uint64_t elements = 0;
  std::uint64_t changed = 0;   // served elements that differ
  double difference_norm = 0;  // Frobenius norm of the difference of the served weights
  double weight_norm = 0;      // of the older side
};
struct DiffReport {
  storage::history::NumberedCommit from;
  storage::history::NumberedCommit to;
  std::vector<FactChange> facts;
  std::vector<TensorChange> tensors;
};

class Service : public answers::AnswerService {
 public:
  // kInvalidArgument, kPermissionDenied, kNotFound; kResourceExhausted ("queue_full") when 1,024
  // wait, or 512 of this repo; kInvalidArgument ("idempotency_mismatch") when the key was used with
  // another fingerprint. The same key with the same fingerprint returns the operation that it
  // began.
  virtual Awaitable<Result<OperationView>> Submit(Caller caller, Submission submission) = 0;
  virtual Awaitable<Result<OperationView>> ReadOperation(OperationId id) = 0;
  // Newest first: those accepted before `before`, or all for an empty id.
  virtual Awaitable<Result<std::vector<OperationView>>> ListOperations(OperationId before,
                                                                       std::size_t count_max) = 0;
  // Returns as soon as the operation's version is beyond `version`, or at the deadline with what it
  // then is.
  virtual Awaitable<Result<OperationView>> WaitForChange(OperationId id, std::uint64_t version,
                                                         SteadyTime deadline) = 0;
  // Asks it to end; kFailedPrecondition ("operation_ended") if it has.
  virtual Awaitable<Result<OperationView>> Cancel(Caller caller, OperationId id) = 0;

  // What is recorded: for whatever is a function of the store, or one transaction on it
  // (coordinator/store). It blocks: on the pool only.
  virtual storage::records::Journal& journal() = 0;
  virtual Awaitable<Result<DiffReport>> Diff(RepoName repo, std::string from, std::string to) = 0;

  virtual std::vector<membership::WorkerInfo> Workers() const = 0;
  // Takes seconds, in which workers go on with what they do.
  virtual Awaitable<Result<Diagnosis>> Diagnose(Caller caller) = 0;
};

}  // namespace emend::coordinator::server
