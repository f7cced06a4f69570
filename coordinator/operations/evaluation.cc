// evaluation: how well a revision answers facts.
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/facts_field.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"

namespace emend::coordinator::operations {
namespace {

class EvaluationRequest final : public RevisionRequest {
 public:
  void Read(JsonReader& reader) {
    ReadRevision(reader);
    ReadFacts(reader, facts_);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kReads, .pool = Pool::kWorkers, .cost = 1 + facts_.size(), .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const override {
    JobContext& context = *input.context;
    const StateId state = located.commit.state;
    WorkerSession session(context, located.repository, input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await session.Open(state));
    std::vector<std::size_t> rows(facts_.size());
    std::iota(rows.begin(), rows.end(), 1);
    auto evaluate = EvaluationOf(located.commit.base, state, facts_, rows);
    evaluate.drift = true;
    EMEND_CO_ASSIGN_OR_RETURN(
        const auto reply,
        co_await session.CallOn<worker::protocol::EvaluateReply>(state, evaluate, kSolveTimeout));
    EMEND_CO_RETURN_IF_ERROR(CheckAnswers(evaluate, reply));
    nlohmann::ordered_json json = LocatedJson(located.id, state);
    json.update(MeasuresJson(ToEvaluation(reply)));
    json["taken"] = TakenOf(reply.facts);
    json["facts"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      json["facts"].push_back({{"row", i + 1},
                               {"subject", facts_[i].subject},
                               {"target", facts_[i].target},
                               {"taken", reply.facts[i].taken},
                               {"probability", reply.facts[i].probability}});
    }
    auto targets = NeighbourTargetsJson(facts_, rows, nullptr, reply);
    if (!targets.is_null()) json["neighbour_targets"] = std::move(targets);
    json["drift"] = {{"perplexity", reply.perplexity}};
    co_return JobOutcome{json.dump(), {}};
  }

  std::vector<storage::objects::Fact> facts_;
};

}  // namespace

extern const OperationKind kEvaluation;
const OperationKind kEvaluation = {"evaluation", "ask", Subject::kRepo, ReadAs<EvaluationRequest>};

}  // namespace emend::coordinator::operations
