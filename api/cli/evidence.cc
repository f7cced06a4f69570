#include "api/cli/evidence.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/cli/commits.h"
#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

constexpr std::size_t kNamedMax = 10;
// times the weight's norm: what is below is what edits usually take
constexpr double kLargeUpdate = 1.0;

void AddLine(std::string& lines, const std::string& line) { lines += line + "\n"; }

// A line each, the first few.
std::string Listed(const std::vector<std::string>& names) {
  std::string lines;
  for (std::size_t i = 0; i < std::min(names.size(), kNamedMax); ++i)
    AddLine(lines, "  " + names[i]);
  if (names.size() > kNamedMax)
    AddLine(lines, "  and " + std::to_string(names.size() - kNamedMax) + " more");
  return lines;
}

// "row 3: Apple -> Maria Lindqvist".
std::string RowOf(const Json& said, const char* what) {
  return "row " + std::to_string(CountOf(said, "row")) + ": " + TextOf(said, what) + " -> " +
         TextOf(said, "target");
}

// How many neighbours' targets the model says; those that it does not, or of a commit those that it
// no longer does.
std::string RenderNeighbourTargets(const Json& result) {
  const Json targets = result.value("neighbour_targets", Json());
  if (!targets.is_object()) return "";
  const bool is_compared = targets.contains("said_before");
  std::vector<std::string> lost;
  for (const Json& neighbour : targets.value("neighbours", Json::array())) {
    if (neighbour.value("said", false) || !neighbour.value("said_before", !is_compared)) continue;
    lost.push_back((is_compared ? "no longer said, " : "not said, ") + RowOf(neighbour, "prompt"));
  }
  std::string lines;
  AddLine(lines, "targets of neighbours said: " +
                     (is_compared ? std::to_string(CountOf(targets, "said_before")) + " -> " : "") +
                     std::to_string(CountOf(targets, "said")) + " of " +
                     std::to_string(CountOf(targets, "n")));
  return lines + Listed(lost);
}

// ", such as --set mom2_update_weight=30 (300 was used)"; "" where it is not said.
std::string Stronger(const Json& result) {
  const Json settings = result.value("settings", Json());
  if (!settings.is_object()) return "";
  const Json by_layer = settings.value("mom2_update_weights", Json::array());
  const double used = by_layer.empty() ? NumberOf(settings, "mom2_update_weight")
                                       : by_layer[by_layer.size() / 2].get<double>();
  if (used <= 0) return "";
  return ", such as --set mom2_update_weight=" + Fixed(used / 10, used < 10 ? 4 : 0) + " (" +
         Fixed(used, used < 1 ? 4 : 0) + " was used; less is stronger, and spares less)";
}

const Json& FactsOf(const Json& result) {
  static const Json kNone = Json::array();
  const auto found = result.find("facts");
  return found != result.end() && found->is_array() ? *found : kNone;
}

// Null where none was asked.
Json QuestionsOf(const Json& result) {
  const Json drift = result.value("drift", Json());
  return drift.is_object() ? drift.value("questions", Json()) : Json();
}

// " (negative log likelihood under the parent: …)" of what was answered.
std::string LikelihoodOf(const Json& questions) {
  if (!questions.value("nll_after", Json()).is_number()) return "";
  return " (negative log likelihood under the parent: " +
         Fixed(NumberOf(questions, "nll_before"), 2) + " of its own answers, " +
         Fixed(NumberOf(questions, "nll_after"), 2) + " of these)";
}

std::string RenderQuestions(const Json& questions) {
  if (!questions.is_object()) return "";
  if (questions.contains("fault"))
    return "general questions were not asked: " + TextOf(questions, "fault") + "\n";
  return "general questions answered as before: " + std::to_string(CountOf(questions, "same")) +
         " of " + std::to_string(CountOf(questions, "n")) + LikelihoodOf(questions) + "\n";
}

// A fault is that of the template, which the general questions tell.
std::string RenderChat(const Json& chat) {
  if (!chat.is_object() || chat.contains("fault")) return "";
  return "said in chat: " + std::to_string(CountOf(chat, "said_before")) + " -> " +
         std::to_string(CountOf(chat, "said")) + " of " + std::to_string(CountOf(chat, "n")) +
         " facts" + LikelihoodOf(chat) + "\n";
}

std::string RenderAsked(const Json& questions) {
  std::string lines;
  if (!questions.is_object()) return lines;
  for (const Json& answer : questions.value("answers", Json::array())) {
    AddLine(lines, "  " + TextOf(answer, "question"));
    AddLine(lines, "    before: " + answer.value("before", Json("")).dump());
    AddLine(lines, answer.value("same", false)
                       ? "    the same now"
                       : "    now: " + answer.value("after", Json("")).dump());
  }
  return lines;
}

}  // namespace

std::string RenderAnswers(const Json& result) {
  const std::string facts = RenderAsked(result.value("chat", Json()));
  return RenderAsked(QuestionsOf(result)) + (facts.empty() ? "" : "the facts in chat\n" + facts);
}

std::string RenderEvidence(const Json& result) {
  std::string lines;
  if (const Json& facts = FactsOf(result); !facts.empty())
    AddLine(lines, "said now: " + std::to_string(CountOf(result, "taken")) + " of " +
                       std::to_string(facts.size()) + " facts");
  if (result.contains("kept") && result["kept"].is_number())
    AddLine(lines, "answers to neighbours kept: " + RenderPercent(NumberOf(result, "kept")) +
                       " % of " + std::to_string(CountOf(result, "neighbours")) + " (KL " +
                       Fixed(NumberOf(result, "kl"), 3) + ")");
  lines += RenderChat(result.value("chat", Json()));
  lines += RenderNeighbourTargets(result);
  for (const auto& [name, words] : {std::pair{"earlier", "earlier facts of the branch still said"},
                                    std::pair{"taken_out", "facts taken out still said"}}) {
    const Json beside = result.value(name, Json());
    if (!beside.is_object()) continue;
    AddLine(lines, std::string(words) + ": " + std::to_string(CountOf(beside, "taken_before")) +
                       " -> " + std::to_string(CountOf(beside, "taken_after")) + " of " +
                       std::to_string(CountOf(beside, "n")));
  }
  const Json drift = result.value("drift", Json());
  if (drift.is_object() && drift.contains("perplexity_before"))
    AddLine(lines, "perplexity of plain text: " + Fixed(NumberOf(drift, "perplexity_before"), 1) +
                       " -> " + Fixed(NumberOf(drift, "perplexity_after"), 1));
  lines += RenderQuestions(QuestionsOf(result));
  return lines;
}

bool HasFadedFacts(const Json& result) {
  const Json earlier = result.value("earlier", Json());
  return earlier.is_object() && 5 * CountOf(earlier, "taken_after") < 4 * CountOf(earlier, "n");
}

std::string RenderNotTaken(const Json& result) {
  std::vector<std::string> names;
  bool all_held = true;
  for (const Json& fact : FactsOf(result)) {
    if (fact.value("taken", false)) continue;
    all_held = all_held && fact.value("held", false);
    names.push_back(RowOf(fact, "subject"));
  }
  if (names.empty()) return "";
  const std::string of =
      std::to_string(names.size()) + " of " + std::to_string(FactsOf(result).size());
  if (!result.contains("edits")) return of + " facts are not said:\n" + Listed(names);
  return of + " facts did not take (the model's own answer is another):\n" + Listed(names) +
         (all_held ? "try --force, with a stronger solve" : "try a stronger solve") +
         Stronger(result) + "\n";
}

std::string RenderFrozenExperts(long layer, const Json& experts) {
  const long frozen = CountOf(experts, "frozen");
  if (frozen == 0) return "";
  return std::to_string(frozen) + " of " + std::to_string(CountOf(experts, "count")) +
         " experts in layer " + std::to_string(layer) +
         " are not edited: the statistics saw too few tokens of them\n";
}

std::string RenderLayers(const Json& result) {
  std::string lines;
  for (const Json& layer : result.value("layers", Json::array())) {
    const double times = NumberOf(layer, "update_norm") / NumberOf(layer, "weight_norm");
    if (times > kLargeUpdate)
      AddLine(lines, "update " + Fixed(times, 1) + " times the weight in layer " +
                         std::to_string(CountOf(layer, "layer")) +
                         ": what is far from these facts may have changed, too");
    lines += RenderFrozenExperts(CountOf(layer, "layer"), layer.value("experts", Json::object()));
  }
  return lines;
}

std::string RenderUnmeasured(const Json& scores, const Json& result) {
  if (!scores.is_object() || scores.value("ns", Json()).is_number()) return "";
  if (CountOf(result, "neighbours") > 0 || CountOf(result, "neighbours_without_old_target") > 0)
    return "NS needs neighbours with a target, or facts with an old target (old_target) beside "
           "them: there was none\n";
  return "no neighbours were given with the facts: harm to what stands near them was not "
         "measured\n";
}

}  // namespace emend::api::cli
