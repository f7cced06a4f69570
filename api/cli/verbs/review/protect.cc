#include <charconv>

#include "api/cli/solve_options.h"
#include "api/cli/text.h"

namespace emend::api::cli::verbs::protect_verb {
namespace {

struct Options {
  std::string repo;
  std::optional<std::string> pattern;
  std::uint64_t approvals = 1;
  std::string required;
  bool remove = false;
};

std::string RequiredOf(const Json& rule) {
  std::string text;
  const Json required = rule.value("require", Json::object());
  for (const auto& [name, percent] : required.items())
    text += (text.empty() ? "" : ", ") + name + " " + RenderPercent(percent.get<double>());
  return text;
}

Result<int> List(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json rules, session.GetAll(RepoPath(options.repo, "/protections")));
  if (session.json()) {
    session.Print(rules);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"BRANCHES", "APPROVALS", "REQUIRED", "BY"}};
  for (const Json& rule : rules.value("items", Json::array()))
    rows.push_back({TextOf(rule, "pattern"),
                    std::to_string(static_cast<long>(NumberOf(rule, "approvals"))),
                    RequiredOf(rule), TextOf(rule, "principal")});
  if (rows.size() > 1) {
    session.out() << RenderTable(rows);
  } else {
    session.out() << "no branch is protected\n";
    session.Hint("protect " + ShellWord(options.repo) + " main",
                 "then main moves only by proposals that somebody else approved");
  }
  return kExitOk;
}

// {"taken": "90"} as {"taken": 90}.
Status MakeNumbers(Json& required) {
  if (required.is_null()) required = Json::object();
  for (auto& [name, percent] : required.items()) {
    const std::string text = percent.get<std::string>();
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
      return InvalidArgument("reading --require " + name + "=" + text + ": expected percent");
    percent = number;
  }
  return OkStatus();
}

Result<int> Run(Session& session, const Options& options) {
  if (!options.pattern && options.remove)
    return InvalidArgument("taking a rule away: its pattern is missing");
  if (!options.pattern) return List(session, options);
  const std::string path =
      RepoPath(options.repo, "/protections/" + client::EncodeSegment(*options.pattern));
  client::Call call{.method = "DELETE", .path = path, .body = "", .headers = {}};
  if (!options.remove) {
    Json body = {{"approvals", options.approvals}};
    EMEND_RETURN_IF_ERROR(ReadRequired(options.required, body));
    EMEND_RETURN_IF_ERROR(MakeNumbers(body["require"]));
    call.method = "PUT";
    call.body = body.dump();
  }
  EMEND_ASSIGN_OR_RETURN(const Answer answer, session.Send(call));
  if (session.json()) {
    session.Print(options.remove ? Json{{"pattern", *options.pattern}, {"deleted", true}}
                                 : answer.body);
    return kExitOk;
  }
  if (options.remove) {
    session.out() << *options.pattern << " moves freely again\n";
    return kExitOk;
  }
  session.out() << *options.pattern << " moves only by proposals now, with " << options.approvals
                << (options.approvals == 1 ? " approval" : " approvals")
                << " by others than their makers\n";
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add({.names = "PATTERN",
                 .help = "of branches: \"main\", \"release/*\"; without one all rules are listed",
                 .into = &options.pattern});
  arguments.Add({.names = "--approvals",
                 .value = "N",
                 .help = "how many others must approve",
                 .range = Range{0, 10},
                 .into = &options.approvals});
  arguments.Add({.names = "--require",
                 .value = "NAME=PERCENT,...",
                 .help = "what a proposal's facts must reach: taken=90,kept=80",
                 .into = &options.required});
  arguments.Add({.names = "-d,--delete", .help = "take the rule away", .into = &options.remove});
}

}  // namespace

Verb Make() {
  return {.name = "protect",
          .group = Group::kReview,
          .effect = Effect::kChanges,
          .summary = "let branches move only by reviewed proposals",
          .details =
              "A rule replaces that of the same pattern, whole. No scope goes round one; whoever "
              "has the scope admin can change it, and "
              "the audit says so.",
          .examples =
              "emend protect atlas\nemend protect atlas main --approvals 1 --require "
              "taken=90\nemend protect atlas -d main",
          .document =
              "`{\"pattern\", \"approvals\", \"require\", \"principal\", \"created\"}`; "
              "list: `{\"items\"}`; delete: `{\"pattern\", \"deleted\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::protect_verb
