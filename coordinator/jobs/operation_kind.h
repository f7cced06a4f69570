// OperationKind: everything that emendd knows about one kind of operation, as one row of a table.
//
// A kind is a file of coordinator/operations: it holds the request's fields and how they are read,
// what the scheduler must know, what is refused at once, how it is carried out, and its result as
// JSON (docs/reference/operations.md). Queue, service and REST go by the table alone.
//
//   EMEND_ASSIGN_OR_RETURN(const OperationKind* const kind, FindKind(kinds, "commit"));
//   EMEND_ASSIGN_OR_RETURN(auto request, ReadRequest(*kind, json));
//   const Demand demand = request->DemandOn("atlas");
//
// The JSON is the REST body, what is stored with the accepted operation, and what is read again
// when it runs. Unknown fields, wrong types and values out of range are kInvalidArgument with a
// JSON pointer: `at /facts/3/prompt: found no "{}", expected exactly one`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/jobs/demand.h"
#include "coordinator/jobs/job.h"
#include "storage/json/reader.h"

namespace emend::coordinator::jobs {

class OperationRequest;
using Outcomes = std::vector<JobOutcome>;

// What a run is given, by value: it lives as long as the run. In order of acceptance; several only
// of a kind whose requests have a Demand::key.
struct RunInput {
  JobContext* context = nullptr;
  std::vector<storage::records::Operation> operations;
  std::vector<std::shared_ptr<const OperationRequest>> requests;  // one an operation
  JobControl control;
};

// A request that was read. Immutable.
class OperationRequest {
 public:
  virtual ~OperationRequest() = default;

  virtual Demand DemandOn(const std::string& repo) const = 0;
  // The revision that it reads, which must be there when it is submitted and when it runs; nothing
  // if it reads none. The branch that it moves is in its demand.
  virtual std::string_view Revision() const { return ""; }
  // What can be refused when it is submitted, though it is well-formed. Blocks; runs on the pool.
  virtual Status Check(JobContext&, const RepoName&) const { return OkStatus(); }
  // One outcome a request, applied in their order. Failures are of all of them: as the kind
  // documents; those that may go better another time (Reason in storage/base/reason.h) are run
  // again by the queue. This is the first of input.requests, which keep it alive.
  virtual Awaitable<Result<Outcomes>> Run(RunInput input) const = 0;
};

// The common case: each is carried out alone.
struct JobInput {
  JobContext* context = nullptr;
  storage::records::Operation operation;
  JobControl control;
};
class SoloRequest : public OperationRequest {
 public:
  Awaitable<Result<Outcomes>> Run(RunInput input) const final;

 private:
  virtual Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const = 0;
};

// What an operation is about.
enum class Subject { kRepo, kNewRepo, kStore };

struct OperationKind {
  std::string_view name;   // "commit", as in records and in REST
  std::string_view scope;  // that whoever submits it needs
  Subject subject = Subject::kRepo;
  std::unique_ptr<OperationRequest> (*read)(storage::json::Reader& reader) = nullptr;
};
using OperationKinds = std::span<const OperationKind>;

// kUnsupported ("unknown_operation").
Result<const OperationKind*> FindKind(OperationKinds kinds, std::string_view name);
Result<std::shared_ptr<const OperationRequest>> ReadRequest(const OperationKind& kind,
                                                            std::string_view json);

// Of a request type that is default-constructible and has `void Read(JsonReader&)`.
template <typename Request>
std::unique_ptr<OperationRequest> ReadAs(storage::json::Reader& reader) {
  auto request = std::make_unique<Request>();
  request->Read(reader);
  return request;
}

}  // namespace emend::coordinator::jobs
