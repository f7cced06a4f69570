#include "api/cli/proposal_page.h"

#include <algorithm>

#include "api/cli/commits.h"
#include "api/cli/evidence.h"
#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

Json ListOf(const Json& json, const char* name) {
  return json.is_object() ? json.value(name, Json::array()) : Json::array();
}

std::string Joined(const Json& names) {
  std::string text;
  for (const Json& name : names) text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

std::string OneLine(const std::string& given) {
  std::string text = Plain(given);
  std::ranges::replace(text, '\n', ' ');
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text.empty() ? "(nothing)" : text;
}

// What was measured of the fact of this edit, or null.
Json MeasuredOf(const Json& evidence, const char* list, const std::string& edit) {
  for (const Json& fact : ListOf(evidence, list)) {
    if (TextOf(fact, "edit") == edit) return fact;
  }
  return {};
}

// What both say to its prompts; null beyond those that are asked.
Json AnswersOf(const Json& evidence, bool comes, long row) {
  for (const Json& one : ListOf(evidence, "answers")) {
    if (one.value("comes", false) == comes && CountOf(one, "row") == row)
      return one.value("answers", Json::array());
  }
  return Json::array();
}

void ShowAnswers(const Session& session, const Json& answers) {
  for (const Json& answer : answers) {
    const std::string before = OneLine(TextOf(answer, "before"));
    const std::string after = OneLine(TextOf(answer, "after"));
    const std::string kind = TextOf(answer, "kind");
    session.out() << "    " << kind << ": " << OneLine(TextOf(answer, "prompt")) << "\n      ";
    if (before == after) {
      session.out() << session.terminal().Paint(after, Colour::kDim) << " (as before)\n";
      continue;
    }
    // A neighbour that changes is what a reviewer must not overlook.
    session.out() << session.terminal().Paint(before, Colour::kDim) << " -> "
                  << session.terminal().Paint(after,
                                              kind == "neighbour" ? Colour::kRed : Colour::kGreen)
                  << "\n";
  }
}

void ShowFacts(const Session& session, const Json& detail, bool comes) {
  const Json check = detail.value("check", Json());
  const Json evidence = check.is_object() ? check.value("evidence", Json()) : Json();
  const Colour colour = comes ? Colour::kGreen : Colour::kRed;
  for (const Json& one : ListOf(detail, comes ? "added" : "removed")) {
    const std::string edit = TextOf(one, "edit");
    const Json fact = one.value("fact", Json::object());
    const Json measured = MeasuredOf(evidence, comes ? "facts" : "taken_out", edit);
    session.out() << session.terminal().Paint(comes ? "+" : "-", colour) << " " << ShortId(edit)
                  << "  " << QuestionOf(fact) << " -> "
                  << session.terminal().Paint(TextOf(fact, "target"), colour);
    if (measured.is_object()) {
      const bool is_said = measured.value("taken", false);
      session.out() << (comes     ? is_said ? ", said: " : ", NOT said: "
                        : is_said ? ", STILL said: "
                                  : ", no longer said: ")
                    << RenderPercent(100 * NumberOf(measured, "before")) << " % -> "
                    << RenderPercent(100 * NumberOf(measured, "after")) << " %";
    }
    session.out() << "\n";
    if (measured.is_object())
      ShowAnswers(session, AnswersOf(evidence, comes, CountOf(measured, "row")));
  }
}

// What the model would forget of the repo's suites.
void ShowProbes(const Session& session, const Json& evidence) {
  for (const Json& suite : ListOf(evidence, "probes")) {
    session.out() << "probes of " << TextOf(suite, "suite")
                  << " said: " << CountOf(suite, "said_before") << " -> " << CountOf(suite, "said")
                  << " of " << CountOf(suite, "n") << "\n";
    for (const Json& lost : ListOf(suite, "forgotten")) {
      session.out() << session.terminal().Paint("  forgotten: ", Colour::kRed)
                    << TextOf(lost, "prompt") << " -> " << TextOf(lost, "target") << "\n";
    }
  }
}

void ShowCheck(const Session& session, const Json& detail) {
  const Json check = detail.value("check", Json());
  if (!check.is_object()) {
    session.out() << "measured: nothing yet\n";
    return;
  }
  const Json required = detail.value("required", Json());
  const Json wanted = required.is_object() ? required.value("measures", Json::object()) : Json();
  const Json measured = check.value("measured", Json::object());
  std::string line;
  for (const auto& [name, percent] : measured.items()) {
    line += (line.empty() ? "" : ", ") + name + " " +
            (percent.is_number() ? RenderPercent(percent.get<double>()) : "-");
    if (wanted.is_object() && wanted.contains(name))
      line += " (" + RenderPercent(wanted[name].get<double>()) + " required)";
  }
  const bool is_current = check.value("current", false) || TextOf(detail, "state") != "open";
  session.out() << (is_current ? "measured: " : "measured, of what it was before: ")
                << (line.empty() ? "no fact comes" : line) << "\n";
  const Json evidence = check.value("evidence", Json());
  if (!evidence.is_object()) return;
  session.out() << RenderEvidence(evidence) << RenderAnswers(evidence);
  ShowProbes(session, evidence);
}

void ShowReviews(const Session& session, const Json& detail) {
  for (const Json& review : ListOf(detail, "reviews")) {
    const std::string verdict = TextOf(review, "verdict");
    session.out() << TextOf(review, "principal")
                  << (verdict == "approve"   ? " approves"
                      : verdict == "comment" ? " comments"
                                             : " requests changes")
                  << (TextOf(review, "revision") == TextOf(detail, "revision")
                          ? ""
                          : " (an earlier revision)")
                  << ", " << TextOf(review, "time") << "\n";
    if (const std::string text = TextOf(review, "text"); !text.empty())
      session.out() << Indent(Plain(text));
    for (const Json& note : ListOf(review, "facts"))
      session.out() << Indent(ShortId(TextOf(note, "edit")) + ": " + Plain(TextOf(note, "text")));
  }
}

void ShowHead(const Session& session, const Json& detail) {
  session.out() << session.terminal().Paint("proposal " + std::to_string(CountOf(detail, "number")),
                                            Colour::kYellow)
                << ": " << OneLine(TextOf(detail, "title")) << "\n"
                << TextOf(detail, "state") << ", " << TextOf(detail, "source") << " -> "
                << TextOf(detail, "target") << ", by " << TextOf(detail, "author");
  if (const std::string revision = TextOf(detail, "revision"); !revision.empty()) {
    session.out() << ", revision " << ShortId(revision) << " by "
                  << Joined(ListOf(detail, "makers"));
  }
  session.out() << "\n";
}

void ShowMissing(const Session& session, const Json& detail) {
  const Terminal& terminal = session.terminal();
  if (TextOf(detail, "state") != "open") return;
  const Json blockers = ListOf(detail, "blockers");
  for (const Json& blocker : blockers)
    session.out() << terminal.Paint("missing: ", Colour::kRed) << TextOf(blocker, "message")
                  << "\n";
  if (blockers.empty()) session.out() << terminal.Paint("can be merged", Colour::kGreen) << "\n";
}

}  // namespace

std::string ProposalPath(const std::string& repo, std::uint64_t number, const std::string& rest) {
  return RepoPath(repo, "/proposals/" + std::to_string(number) + rest);
}

void ShowProposal(const Session& session, const Json& detail) {
  ShowHead(session, detail);
  if (const std::string text = TextOf(detail, "text"); !text.empty())
    session.out() << Indent(Plain(text));
  session.out() << "\n";
  ShowFacts(session, detail, /*comes=*/true);
  ShowFacts(session, detail, /*comes=*/false);
  ShowCheck(session, detail);
  ShowReviews(session, detail);
  ShowMissing(session, detail);
}

void ShowVerdicts(const Session& session, const Json& detail) {
  ShowHead(session, detail);
  ShowReviews(session, detail);
  ShowMissing(session, detail);
}

void HintAtNextStep(Session& session, const std::string& repo, const Json& detail) {
  const std::string number = std::to_string(CountOf(detail, "number"));
  if (TextOf(detail, "state") != "open") return;
  const Json blockers = ListOf(detail, "blockers");
  if (blockers.empty()) {
    session.Hint("merge " + ShellWord(repo) + " --proposal " + number);
    return;
  }
  const std::string first = TextOf(blockers.front(), "code");
  if (first == "approvals") {
    session.Hint("review " + ShellWord(repo) + " " + number + " --approve " +
                     ShortId(TextOf(detail, "revision")),
                 "by somebody who had no hand in it");
  } else if (first == "conflicts") {
    session.Hint("merge " + ShellWord(repo + "@" + TextOf(detail, "source")) + " " +
                     ShellWord(TextOf(detail, "target")) + " --dry-run",
                 "shows what both have changed");
  }
}

}  // namespace emend::api::cli
