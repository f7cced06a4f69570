// What a commit is measured by, beside its scores: whether each fact is said now, what became of
// the answers near it, of a sample of the branch's earlier facts, and of plain text.
//
// Everything is measured on the parent and on the result. A fact is taken when the model's own
// greedy answer to its prompt is the target. Values and pure functions but for Measure.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/operation.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::operations {

using worker::protocol::EvaluateReply;

// Of one member of a batch.
struct MemberMeasures {
  std::optional<EvaluateReply> before;  // of the facts that were solved
  std::optional<EvaluateReply> after;
  std::optional<EvaluateReply> held;  // of those that were held already, on the parent
};
// Of all of them. Plain text is measured with the first member's facts.
struct BatchMeasures {
  std::vector<MemberMeasures> members;
  const char* beside = "earlier";               // what CommitPlan::earlier is called
  bool is_chat_asked = true;                    // what a chat model says behind its template
  std::optional<EvaluateReply> earlier_before;  // of CommitPlan::earlier
  std::optional<EvaluateReply> earlier_after;
};

// Asks the worker: on the parent where `result` is none, else on it, with the parent's answers as
// the reference. `session` and `plan` outlive the call.
Awaitable<Status> Measure(WorkerSession* session, const CommitPlan* plan, BaseId base,
                          std::optional<StateId> result, BatchMeasures* measures);

// Whether a state says the facts, their own prompts alone. Errors as the session's.
Awaitable<Result<EvaluateReply>> AskFacts(WorkerSession* session, BaseId base, StateId state,
                                          std::vector<storage::objects::Fact> facts);

// "taken", "facts", "kept", "kl", "chat", "neighbour_targets", "drift", "earlier": for the result
// and for the commit's record. `edits` are ids of the member's facts, in their order. Absent: what
// was not measured.
nlohmann::ordered_json EvidenceJson(const MemberPlan& plan, const std::vector<EditId>& edits,
                                    const BatchMeasures& measures, std::size_t member);

// What must be reached for the commit to be made: percent by name.
using Required = std::map<std::string, double>;
// All that can be required.
Required MeasuredOf(const EvaluateReply& reply);
// A request's fields "evaluate" and "require"; a failure of the reader for an unknown name, a bad
// number, or what is required without being measured.
void ReadMeasured(JsonReader& reader, bool& evaluate, Required& required);
// kFailedPrecondition ("requirement_not_met"), naming what was measured and the facts that were not
// taken.
Status CheckRequired(const Required& required, const MemberPlan& plan,
                     const MemberMeasures& measures);

}  // namespace emend::coordinator::operations
