#include "worker/eval/counterfact.h"

#include <initializer_list>
#include <map>

#include "worker/eval/request_table.h"

namespace emend::worker::eval {
namespace {

// Where the scores of one prompt will stand.
struct PromptSlots {
  RequestTable::Slot new_target;
  std::optional<RequestTable::Slot> true_target;
};

struct FactSlots {
  PromptSlots rewrite;
  std::vector<PromptSlots> paraphrases;
  std::vector<PromptSlots> neighbours;  // that have a true target
  std::vector<RequestTable::Slot> neighbour_targets;
};

Result<PromptSlots> AddPrompt(RequestTable& table, const std::string& prompt, const EvalFact& fact,
                              const std::optional<std::string>& target_true) {
  PromptSlots slots;
  EMEND_ASSIGN_OR_RETURN(slots.new_target, table.Add(prompt, fact.target_new, fact.join));
  if (target_true) {
    EMEND_ASSIGN_OR_RETURN(const RequestTable::Slot slot,
                           table.Add(prompt, *target_true, fact.join));
    slots.true_target = slot;
  }
  return slots;
}

Status AddNeighbours(RequestTable& table, const EvalFact& fact, FactSlots& slots) {
  for (const auto& [prompt, target] : fact.neighbours) {
    if (target.empty() && !fact.target_true) continue;
    EMEND_ASSIGN_OR_RETURN(
        const PromptSlots added,
        AddPrompt(table, prompt, fact, target.empty() ? fact.target_true : target));
    if (!target.empty()) slots.neighbour_targets.push_back(*added.true_target);
    if (added.new_target != *added.true_target) slots.neighbours.push_back(added);
  }
  return OkStatus();
}

Result<FactSlots> AddFact(RequestTable& table, const EvalFact& fact) {
  FactSlots slots;
  EMEND_ASSIGN_OR_RETURN(slots.rewrite, AddPrompt(table, fact.prompt, fact, fact.target_true));
  for (const std::string& prompt : fact.paraphrases) {
    EMEND_ASSIGN_OR_RETURN(const PromptSlots added,
                           AddPrompt(table, prompt, fact, fact.target_true));
    slots.paraphrases.push_back(added);
  }
  EMEND_RETURN_IF_ERROR(AddNeighbours(table, fact, slots));
  return slots;
}

// A share of prompts, in percent.
class Share {
 public:
  void Count(bool hit) {
    ++count_;
    hits_ += hit ? 1 : 0;
  }
  std::optional<double> Percent() const {
    return count_ == 0 ? std::nullopt : std::optional<double>(100.0 * hits_ / count_);
  }

 private:
  int count_ = 0;
  int hits_ = 0;
};

class ScoreView {
 public:
  explicit ScoreView(const std::vector<std::vector<TargetScore>>& scores) : scores_(scores) {}
  const TargetScore& New(const PromptSlots& slots) const { return At(slots.new_target); }
  const TargetScore& True(const PromptSlots& slots) const { return At(*slots.true_target); }
  // The new target wins; without a true one to beat, by being the greedy continuation.
  bool NewWins(const PromptSlots& slots) const {
    return slots.true_target ? New(slots).nll < True(slots).nll : New(slots).argmax;
  }

  const TargetScore& At(RequestTable::Slot slot) const {
    return scores_[slot.request][slot.target];
  }

 private:
  const std::vector<std::vector<TargetScore>>& scores_;
};

FactResult ResultOf(const FactSlots& slots, const ScoreView& scores) {
  FactResult result;
  result.es = scores.NewWins(slots.rewrite) ? 100 : 0;
  result.es_argmax = scores.New(slots.rewrite).argmax ? 100 : 0;
  result.nll_new = scores.New(slots.rewrite).nll;
  result.probability = scores.New(slots.rewrite).probability;
  if (slots.rewrite.true_target) result.nll_true = scores.True(slots.rewrite).nll;
  Share paraphrase, paraphrase_argmax, neighbour, neighbour_argmax;
  for (const PromptSlots& prompt : slots.paraphrases) {
    paraphrase.Count(scores.NewWins(prompt));
    paraphrase_argmax.Count(scores.New(prompt).argmax);
  }
  for (const PromptSlots& prompt : slots.neighbours) {
    neighbour.Count(scores.New(prompt).nll > scores.True(prompt).nll);
    neighbour_argmax.Count(scores.True(prompt).argmax);
  }
  for (const RequestTable::Slot slot : slots.neighbour_targets)
    result.neighbour_targets.push_back(scores.At(slot));
  result.ps = paraphrase.Percent();
  result.ps_argmax = paraphrase_argmax.Percent();
  result.ns = neighbour.Percent();
  result.ns_argmax = neighbour_argmax.Percent();
  return result;
}

struct Mean {
  double value = 0;
  std::int64_t count = 0;
};

// Over the facts that have the figure; 0 of none.
template <typename Figure>
Mean MeanOf(const std::vector<FactResult>& facts, Figure FactResult::* figure) {
  Mean mean;
  for (const FactResult& fact : facts) {
    const std::optional<double> value = fact.*figure;
    if (!value) continue;
    mean.value += *value;
    ++mean.count;
  }
  mean.value /= static_cast<double>(mean.count);  // over none: NaN
  return mean;
}

// NaN if one of them is.
double HarmonicMean(std::initializer_list<double> parts) {
  double inverses = 0;
  for (const double part : parts) inverses += 1 / part;  // infinite for 0: the mean is 0 then
  return static_cast<double>(parts.size()) / inverses;
}

EvalReport Summarise(std::vector<FactResult> facts, std::int64_t prompts) {
  const Mean es = MeanOf(facts, &FactResult::es), ps = MeanOf(facts, &FactResult::ps),
             ns = MeanOf(facts, &FactResult::ns);
  EvalReport report;
  report.n = es.count;
  report.n_ps = ps.count;
  report.n_ns = ns.count;
  report.prompts = prompts;
  report.es = es.value;
  report.ps = ps.value;
  report.ns = ns.value;
  report.score = HarmonicMean({es.value, ps.value, ns.value});
  report.es_argmax = MeanOf(facts, &FactResult::es_argmax).value;
  report.ps_argmax = MeanOf(facts, &FactResult::ps_argmax).value;
  report.ns_argmax = MeanOf(facts, &FactResult::ns_argmax).value;
  report.facts = std::move(facts);
  return report;
}

}  // namespace

Result<EvalReport> EvaluateFacts(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer,
                                 std::span<const EvalFact> facts, const ScoreOptions& options) {
  if (facts.empty())
    return Status(StatusCode::kInvalidArgument, "no_facts",
                  "evaluating facts: found none, expected at least one");
  RequestTable table(tokenizer, model.config().context);
  std::vector<FactSlots> slots;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    auto added = AddFact(table, facts[i]);
    if (!added.ok()) {
      const std::string& name = facts[i].name;
      return added.status().WithContext(name.empty() ? "evaluating fact " + std::to_string(i)
                                                     : "at " + name);
    }
    slots.push_back(std::move(*added));
  }
  EMEND_ASSIGN_OR_RETURN(const auto scores, ScoreTargets(model, table.requests(), options));
  const ScoreView view(scores);
  std::vector<FactResult> results;
  for (const FactSlots& fact : slots) results.push_back(ResultOf(fact, view));
  return Summarise(std::move(results), static_cast<std::int64_t>(table.requests().size()));
}

}  // namespace emend::worker::eval
