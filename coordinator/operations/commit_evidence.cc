#include "coordinator/operations/commit_evidence.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "coordinator/operations/measures.h"
#include "coordinator/review/rules.h"
#include "storage/base/reason.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::objects::Fact;
using worker::protocol::AnsweredQuestion;
using worker::protocol::FactAnswer;

constexpr std::size_t kNamedMax = 5;  // facts that a message names

double Percent(std::size_t part, std::size_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Null where nothing was measured.
ordered_json Number(double value) {
  return std::isnan(value) ? ordered_json() : ordered_json(value);
}

struct Requirement {
  const char* name;
  double (*measured)(const EvaluateReply& reply);
};
constexpr Requirement kRequirements[] = {
    {"es", [](const EvaluateReply& reply) { return reply.es; }},
    {"ps", [](const EvaluateReply& reply) { return reply.ps; }},
    {"ns", [](const EvaluateReply& reply) { return reply.ns; }},
    {"score", [](const EvaluateReply& reply) { return reply.score; }},
    {"kept", [](const EvaluateReply& reply) { return reply.kept; }},
    {"taken",
     [](const EvaluateReply& reply) { return Percent(TakenOf(reply.facts), reply.facts.size()); }},
};

// A rule can require one more, the repo's probes, which a commit is not asked.
static_assert(std::size(kRequirements) + 1 == review::kMeasures.size());

std::string NamesOfRequirements() {
  std::string names;
  for (const Requirement& requirement : kRequirements)
    names += (names.empty() ? "" : ", ") + std::string(requirement.name);
  return names;
}

std::string Rounded(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 1).ptr;
  return {text, end};
}

// "at /facts/1: "France" -> "Lyon"", the first few.
std::string NameNotTaken(const MemberPlan& plan, const EvaluateReply& after) {
  std::string names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < plan.facts.size(); ++i) {
    if (after.facts[i].taken || ++count > kNamedMax) continue;
    const Fact& fact = plan.facts[i];
    names += (names.empty() ? "at " : "; at ") + FactName(plan.rows[i] - 1) + ": \"" +
             Shortened(fact.subject) + "\" -> \"" + Shortened(fact.target) + "\"";
  }
  if (count > kNamedMax) names += "; and " + std::to_string(count - kNamedMax) + " more";
  return names;
}

// What was asked behind the chat template: how many answers stayed, how likely the new ones are to
// the parent, and the texts; or why it was not asked.
ordered_json QuestionsJson(const worker::protocol::QuestionReport& report) {
  if (!report.fault.empty()) return {{"fault", report.fault}};
  ordered_json json = {{"n", report.answers.size()},
                       {"same", std::ranges::count(report.answers, true, &AnsweredQuestion::same)},
                       {"nll_before", Number(report.nll_before)},
                       {"nll_after", Number(report.nll_after)},
                       {"answers", ordered_json::array()}};
  for (const AnsweredQuestion& answer : report.answers)
    json["answers"].push_back({{"question", answer.question},
                               {"before", answer.before},
                               {"after", answer.after},
                               {"same", answer.same}});
  return json;
}

// The facts there: in how many answers the target stands, too.
ordered_json ChatJson(const worker::protocol::QuestionReport& report) {
  ordered_json json = QuestionsJson(report);
  if (!report.fault.empty()) return json;
  json["said_before"] = std::ranges::count(report.answers, true, &AnsweredQuestion::said_before);
  json["said"] = std::ranges::count(report.answers, true, &AnsweredQuestion::said);
  for (std::size_t i = 0; i < report.answers.size(); ++i) {
    json["answers"][i]["said_before"] = report.answers[i].said_before;
    json["answers"][i]["said"] = report.answers[i].said;
  }
  return json;
}

ordered_json FactJson(const Fact& fact, std::size_t row, const FactAnswer& answer) {
  return {
      {"row", row}, {"subject", fact.subject}, {"target", fact.target}, {"taken", answer.taken}};
}

Awaitable<Status> Ask(WorkerSession* session, worker::protocol::Evaluate request,
                      std::optional<EvaluateReply>* out) {
  if (request.facts.empty()) co_return OkStatus();
  std::vector<StateId> states = {request.state};
  if (request.reference) states.push_back(*request.reference);
  EMEND_CO_ASSIGN_OR_RETURN(EvaluateReply reply, co_await session->CallOn<EvaluateReply>(
                                                     std::move(states), request, kSolveTimeout));
  EMEND_CO_RETURN_IF_ERROR(CheckAnswers(request, reply));
  *out = std::move(reply);
  co_return OkStatus();
}

// Without paraphrases and neighbours: whether they are still said is what is asked.
std::vector<Fact> Bare(std::vector<Fact> facts) {
  for (Fact& fact : facts) {
    fact.paraphrases.clear();
    fact.neighbours.clear();
  }
  return facts;
}

void ReadRequired(JsonReader& reader, Required& required) {
  std::vector<std::pair<std::string, std::string>> texts;
  reader.TextMap("require", texts);
  for (const auto& [name, text] : texts) {
    const auto known = std::ranges::find(kRequirements, name, &Requirement::name);
    if (known == std::end(kRequirements))
      return reader.Fail("require",
                         "found \"" + Shortened(name) + "\", known are " + NamesOfRequirements());
    double percent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
    if (error != std::errc() || end != text.data() + text.size() || !(percent >= 0) ||
        percent > 100)
      return reader.Fail("require", "found \"" + Shortened(text) + "\" for " + name +
                                        ", expected percent, 0 to 100");
    required[name] = percent;
  }
}

}  // namespace

Awaitable<Status> Measure(WorkerSession* session, const CommitPlan* plan, BaseId base,
                          std::optional<StateId> result, BatchMeasures* measures) {
  const StateId parent = plan->parent.state;
  const StateId state = result.value_or(parent);
  measures->members.resize(plan->members.size());
  bool drift = true;
  for (std::size_t i = 0; i < plan->members.size(); ++i) {
    MemberMeasures& member = measures->members[i];
    auto request = EvaluationOf(base, state, plan->members[i].facts, plan->members[i].rows);
    if (result) request.reference = parent;
    request.chat = result && measures->is_chat_asked;
    request.drift = std::exchange(drift, drift && request.facts.empty());
    EMEND_CO_RETURN_IF_ERROR(
        co_await Ask(session, std::move(request), result ? &member.after : &member.before));
    if (!result) {
      auto held =
          EvaluationOf(base, state, Bare(plan->members[i].held), plan->members[i].held_rows);
      EMEND_CO_RETURN_IF_ERROR(co_await Ask(session, std::move(held), &member.held));
    }
  }
  if (plan->fact_count() == 0) co_return OkStatus();
  auto earlier = EvaluationOf(base, state, Bare(plan->earlier), {});
  co_return co_await Ask(session, std::move(earlier),
                         result ? &measures->earlier_after : &measures->earlier_before);
}

Awaitable<Result<EvaluateReply>> AskFacts(WorkerSession* session, BaseId base, StateId state,
                                          std::vector<Fact> facts) {
  std::optional<EvaluateReply> reply;
  EMEND_CO_RETURN_IF_ERROR(
      co_await Ask(session, EvaluationOf(base, state, Bare(std::move(facts)), {}), &reply));
  co_return reply.value_or(EvaluateReply());
}

ordered_json EvidenceJson(const MemberPlan& plan, const std::vector<EditId>& edits,
                          const BatchMeasures& measures, std::size_t member) {
  ordered_json json = ordered_json::object();
  if (member >= measures.members.size()) return json;
  const MemberMeasures& own = measures.members[member];
  ordered_json facts = ordered_json::array();
  std::size_t taken = 0;
  if (own.before && own.after) {
    for (std::size_t i = 0; i < plan.facts.size(); ++i) {
      ordered_json& fact =
          facts.emplace_back(FactJson(plan.facts[i], plan.rows[i], own.after->facts[i]));
      fact["before"] = own.before->facts[i].probability;
      fact["after"] = own.after->facts[i].probability;
      fact["edit"] = edits[i].Hex();
    }
    taken += TakenOf(own.after->facts);
  }
  if (own.held) {
    for (std::size_t i = 0; i < plan.held.size(); ++i) {
      ordered_json& fact =
          facts.emplace_back(FactJson(plan.held[i], plan.held_rows[i], own.held->facts[i]));
      fact["before"] = fact["after"] = own.held->facts[i].probability;
      fact["held"] = true;
    }
    taken += TakenOf(own.held->facts);
  }
  if (facts.empty()) return json;
  json["taken"] = taken;
  json["facts"] = std::move(facts);
  if (own.after && own.after->neighbours > 0) {
    json["neighbours"] = own.after->neighbours;
    json["kept"] = Number(own.after->kept);
    json["kl"] = Number(own.after->kl);
  }
  if (own.after && own.after->chat) json["chat"] = ChatJson(*own.after->chat);
  if (own.before && own.after) {
    ordered_json targets = NeighbourTargetsJson(plan.facts, plan.rows, &*own.before, *own.after);
    if (!targets.is_null()) json["neighbour_targets"] = std::move(targets);
  }
  for (const MemberMeasures& other : measures.members) {
    if (!other.before || !other.after || std::isnan(other.after->perplexity)) continue;
    json["drift"] = {{"perplexity_before", other.before->perplexity},
                     {"perplexity_after", other.after->perplexity}};
    if (other.after->questions) json["drift"]["questions"] = QuestionsJson(*other.after->questions);
    break;
  }
  if (measures.earlier_before && measures.earlier_after) {
    const EvaluateReply& before = *measures.earlier_before;
    const EvaluateReply& after = *measures.earlier_after;
    json[measures.beside] = {{"n", after.records},
                             {"es_before", before.es},
                             {"es_after", after.es},
                             {"taken_before", TakenOf(before.facts)},
                             {"taken_after", TakenOf(after.facts)}};
  }
  return json;
}

Required MeasuredOf(const EvaluateReply& reply) {
  Required measured;
  for (const Requirement& requirement : kRequirements)
    measured[requirement.name] = requirement.measured(reply);
  return measured;
}

void ReadMeasured(JsonReader& reader, bool& evaluate, Required& required) {
  reader.Flag("evaluate", evaluate);
  ReadRequired(reader, required);
  if (!evaluate && !required.empty())
    reader.Fail("require", "nothing can be required of what is not evaluated");
}

Status CheckRequired(const Required& required, const MemberPlan& plan,
                     const MemberMeasures& measures) {
  if (!measures.after) return OkStatus();
  const EvaluateReply& after = *measures.after;
  std::string missed;
  for (const auto& [name, percent] : required) {
    const double measured =
        std::ranges::find(kRequirements, name, &Requirement::name)->measured(after);
    if (measured >= percent) continue;
    missed += (missed.empty() ? "" : ", ") + name + " " +
              (std::isnan(measured) ? "was not measured" : Rounded(measured)) + " where " +
              Rounded(percent) + " is required";
  }
  if (missed.empty()) return OkStatus();
  const std::string names = NameNotTaken(plan, after);
  return Failure(Reason::kRequirementNotMet,
                 "nothing was committed: " + missed +
                     (names.empty() ? "" : "; these facts are not said: " + names));
}

}  // namespace emend::coordinator::operations
