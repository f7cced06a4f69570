#include <map>

#include "api/cli/revision.h"
#include "api/cli/scores.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

struct LogOptions {
  std::string target;
  std::size_t count = 1000;
  bool oneline = false;
};
struct ShowOptions {
  std::string target;
};
struct DiffOptions {
  std::string from;
  std::string to;
};
struct ReflogOptions {
  std::string target;
  std::size_t count = 100;
};

// Commit to the names that point to it: "(main, v1)".
Result<std::map<std::string, std::string>> Decorations(Session& session, const std::string& repo) {
  EMEND_ASSIGN_OR_RETURN(const Json refs, session.Get(RepoPath(repo, "/refs")));
  std::map<std::string, std::string> names;
  for (const Json& ref : refs.value("items", Json::array())) {
    std::string& list = names[TextOf(ref, "commit")];
    list += (list.empty() ? "" : ", ") + std::string(TextOf(ref, "kind") == "tag" ? "tag: " : "") +
            TextOf(ref, "name");
  }
  return names;
}

Result<Json> ReadLog(Session& session, const RepoRevision& target, std::size_t count) {
  Json items = Json::array();
  Json next;
  std::string position = "revision=" + client::EncodeSegment(target.revision);
  do {
    const std::size_t limit = std::min<std::size_t>(count - items.size(), 500);
    EMEND_ASSIGN_OR_RETURN(
        const Json page,
        session.Get(
            RepoPath(target.repo, "/commits?limit=" + std::to_string(limit) + "&" + position)));
    for (const Json& item : page.value("items", Json::array())) items.push_back(item);
    next = page.value("next", Json());
    position = "after=" + client::EncodeSegment(TextOf(page, "next"));
  } while (next.is_string() && items.size() < count);
  return Json{{"items", std::move(items)}, {"next", std::move(next)}};
}

std::string Subject(const Json& commit) {
  const std::string message = TextOf(commit, "message");
  return message.substr(0, message.find('\n'));
}

std::string Changes(const Json& commit) {
  const long added = static_cast<long>(NumberOf(commit, "added_count"));
  const long removed = static_cast<long>(NumberOf(commit, "removed_count"));
  return "+" + std::to_string(added) + " -" + std::to_string(removed);
}

void ShowLogEntry(const Session& session, const Json& commit, const std::string& names,
                  bool oneline) {
  const Terminal& terminal = session.terminal();
  const std::string decoration =
      names.empty() ? "" : " " + terminal.Paint("(" + names + ")", Colour::kBlue);
  if (oneline) {
    session.out() << terminal.Paint(ShortId(TextOf(commit, "commit")), Colour::kYellow)
                  << decoration << " " << Subject(commit) << "\n";
    return;
  }
  session.out() << terminal.Paint("commit " + TextOf(commit, "commit"), Colour::kYellow)
                << decoration << "\n"
                << RenderTable(
                       {{"Author:", TextOf(commit, "author")},
                        {"Date:", TextOf(commit, "time")},
                        {"Kind:", TextOf(commit, "kind") + ", " + Changes(commit) + " edits"},
                        {"State:", ShortId(TextOf(commit, "state"))}})
                << "\n"
                << Indent(TextOf(commit, "message"));
  const std::string scores = RenderScores(
      {{"before", commit.value("before", Json())}, {"after", commit.value("after", Json())}});
  if (!scores.empty()) session.out() << "\n" << scores;
  session.out() << "\n";
}

Result<int> RunLog(Session& session, const LogOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const Json log, ReadLog(session, target, options.count));
  if (session.json()) {
    session.Print(log);
    return kExitOk;
  }
  EMEND_ASSIGN_OR_RETURN(auto names, Decorations(session, target.repo));
  for (const Json& commit : log["items"])
    ShowLogEntry(session, commit, names[TextOf(commit, "commit")], options.oneline);
  return kExitOk;
}

// The fact's prompt as one would ask it.
std::string QuestionOf(const Json& fact) {
  const std::string prompt = TextOf(fact, "prompt");
  const std::size_t slot = prompt.find("{}");
  return slot == std::string::npos ? prompt
                                   : std::string(prompt).replace(slot, 2, TextOf(fact, "subject"));
}

void ShowEdits(const Session& session, const Json& edits, const char* sign, Colour colour) {
  for (const Json& edit : edits) {
    for (const Json& fact : edit.value("facts", Json::array())) {
      const std::string old_target = TextOf(fact, "old_target");
      session.out() << session.terminal().Paint(sign, colour) << " "
                    << ShortId(TextOf(edit, "edit")) << "  " << QuestionOf(fact) << " -> "
                    << session.terminal().Paint(TextOf(fact, "target"), colour)
                    << (old_target.empty() ? "" : "  (was " + old_target + ")") << "\n";
    }
  }
}

Result<int> RunShow(Session& session, const ShowOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(
      const Json commit,
      session.Get(RepoPath(target.repo, "/commits/" + client::EncodeSegment(target.revision))));
  if (session.json()) {
    session.Print(commit);
    return kExitOk;
  }
  ShowLogEntry(session, commit, "", /*oneline=*/false);
  ShowEdits(session, commit.value("added", Json::array()), "+", Colour::kGreen);
  ShowEdits(session, commit.value("removed", Json::array()), "-", Colour::kRed);
  return kExitOk;
}

void ShowFactChanges(const Session& session, const Json& changes) {
  for (const Json& change : changes) {
    const std::string kind = TextOf(change, "kind");
    const Colour colour = kind == "added"     ? Colour::kGreen
                          : kind == "removed" ? Colour::kRed
                                              : Colour::kYellow;
    const Json fact = change.value("fact", Json::object());
    const std::string other = TextOf(change, "other_target");
    session.out() << session.terminal().Paint(kind == "added"     ? "+"
                                              : kind == "removed" ? "-"
                                                                  : "~",
                                              colour)
                  << " " << QuestionOf(fact) << " -> " << (other.empty() ? "" : other + " => ")
                  << session.terminal().Paint(TextOf(fact, "target"), colour) << "\n";
  }
}

Result<int> RunDiff(Session& session, const DiffOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision from, ParseRepoRevision(options.from));
  // After a repo with a revision, a word without a repo is a revision of the same.
  const bool is_bare = options.from.find('@') != std::string::npos &&
                       options.to.find('@') == std::string::npos && options.to != from.repo;
  EMEND_ASSIGN_OR_RETURN(const RepoRevision to,
                         ParseRepoRevision(is_bare ? from.repo + "@" + options.to : options.to));
  if (from.repo != to.repo)
    return InvalidArgument("comparing " + options.from + " with " + options.to +
                           ": both must be of one repo, such as atlas@main~1 atlas@main");
  EMEND_ASSIGN_OR_RETURN(
      const Json diff,
      session.Get(RepoPath(from.repo, "/diff?from=" + client::EncodeSegment(from.revision) +
                                          "&to=" + client::EncodeSegment(to.revision))));
  if (session.json()) {
    session.Print(diff);
    return kExitOk;
  }
  session.out() << "diff " << from.repo << " "
                << ShortId(TextOf(diff.value("from", Json()), "commit")) << " "
                << ShortId(TextOf(diff.value("to", Json()), "commit")) << "\n";
  ShowFactChanges(session, diff.value("facts", Json::array()));
  std::vector<std::vector<std::string>> rows = {
      {"TENSOR", "CHANGED", "ELEMENTS", "DIFFERENCE", "WEIGHT"}};
  for (const Json& tensor : diff.value("tensors", Json::array())) {
    rows.push_back({TextOf(tensor, "tensor"),
                    std::to_string(static_cast<long>(NumberOf(tensor, "changed"))),
                    std::to_string(static_cast<long>(NumberOf(tensor, "elements"))),
                    RenderPercent(NumberOf(tensor, "difference_norm")),
                    RenderPercent(NumberOf(tensor, "weight_norm"))});
  }
  session.out() << (rows.size() > 1 ? RenderTable(rows) : "no tensor differs\n");
  return kExitOk;
}

Result<int> RunReflog(Session& session, const ReflogOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  const std::string path = "/branches/" + client::EncodeSegment(target.revision) +
                           "/reflog?limit=" + std::to_string(options.count);
  EMEND_ASSIGN_OR_RETURN(const Json page, session.Get(RepoPath(target.repo, path)));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  std::size_t back = 0;
  for (const Json& entry : page.value("items", Json::array())) {
    const std::string to = TextOf(entry, "to");
    session.out() << session.terminal().Paint(to.empty() ? "(deleted)   " : ShortId(to),
                                              Colour::kYellow)
                  << " " << target.revision << "@{" << back++ << "}: " << TextOf(entry, "reason")
                  << "  (" << TextOf(entry, "principal") << ", "
                  << TextOf(entry, "time").substr(0, 19) << ")\n";
  }
  return kExitOk;
}

}  // namespace

void AddHistoryVerbs(CLI::App& app, Action& chosen) {
  const auto log =
      Bind<LogOptions>(app, chosen, "log", "Show the commits of a revision, newest first", RunLog);
  log.verb->add_option("REPO@REVISION", log.options->target)->required();
  log.verb->add_option("-n", log.options->count, "at most so many")
      ->check(CLI::Range(1, kCountMax))
      ->capture_default_str();
  log.verb->add_flag("--oneline", log.options->oneline);
  const auto show =
      Bind<ShowOptions>(app, chosen, "show", "Show one commit with its edits", RunShow);
  show.verb->add_option("REPO@REVISION", show.options->target)->required();
  const auto diff = Bind<DiffOptions>(
      app, chosen, "diff", "Show facts and tensors that differ between two commits", RunDiff);
  diff.verb->add_option("REPO@A", diff.options->from)->required();
  diff.verb->add_option("REPO@B", diff.options->to, "or a revision of the same repo")->required();
  const auto reflog = Bind<ReflogOptions>(
      app, chosen, "reflog", "Show where a branch has pointed, newest first", RunReflog);
  reflog.verb->add_option("REPO[@BRANCH]", reflog.options->target)->required();
  reflog.verb->add_option("-n", reflog.options->count, "at most so many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace emend::api::cli
