#include "coordinator/jobs/operation_kind.h"

#include <algorithm>
#include <utility>

namespace emend::coordinator::jobs {

Awaitable<Result<Outcomes>> SoloRequest::Run(RunInput input) const {
  // `input` keeps this alive, here and in RunAlone.
  JobInput alone{input.context, std::move(input.operations.front()), std::move(input.control)};
  EMEND_CO_ASSIGN_OR_RETURN(JobOutcome outcome, co_await RunAlone(std::move(alone)));
  Outcomes outcomes;
  outcomes.push_back(std::move(outcome));
  co_return outcomes;
}

Result<const OperationKind*> FindKind(OperationKinds kinds, std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &OperationKind::name);
  if (found != kinds.end()) return &*found;
  std::string known;
  for (const OperationKind& kind : kinds)
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  return Status(
      StatusCode::kUnsupported, "unknown_operation",
      "an operation of kind \"" + std::string(name) + "\" was submitted; known are " + known);
}

Result<std::shared_ptr<const OperationRequest>> ReadRequest(const OperationKind& kind,
                                                            std::string_view json) {
  EMEND_ASSIGN_OR_RETURN(storage::json::Document document, storage::json::Document::Parse(json));
  storage::json::Reader reader = document.Root();
  std::shared_ptr<const OperationRequest> request = kind.read(reader);
  reader.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(document.status());
  return request;
}

}  // namespace emend::coordinator::jobs
