#include <map>

#include "api/cli/commits.h"
#include "api/cli/revision.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::log_verb {
namespace {

struct Options {
  std::string target;
  std::uint64_t count = 1000;
  bool oneline = false;
};

// Commit to the names that point to it: "(main, v1)".
Result<std::map<std::string, std::string>> Decorations(Session& session, const std::string& repo) {
  EMEND_ASSIGN_OR_RETURN(const Json refs, session.GetAll(RepoPath(repo, "/refs")));
  std::map<std::string, std::string> names;
  for (const Json& ref : refs.value("items", Json::array())) {
    std::string& list = names[TextOf(ref, "commit")];
    list += (list.empty() ? "" : ", ") + std::string(TextOf(ref, "kind") == "tag" ? "tag: " : "") +
            TextOf(ref, "name");
  }
  return names;
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(
      const Json log,
      session.GetPages(
          RepoPath(target.repo, "/commits?revision=" + client::EncodeSegment(target.revision)),
          options.count));
  if (session.json()) {
    session.Print(log);
    return kExitOk;
  }
  EMEND_ASSIGN_OR_RETURN(auto names, Decorations(session, target.repo));
  for (const Json& commit : log["items"])
    ShowLogEntry(session, commit, names[TextOf(commit, "commit")], options.oneline);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  arguments.Add({.names = "-n",
                 .value = "N",
                 .help = "at most so many",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
  arguments.Add({.names = "--oneline", .help = "a line each", .into = &options.oneline});
}

}  // namespace

Verb Make() {
  return {.name = "log",
          .group = Group::kHistory,
          .summary = "commits of a revision, newest first",
          .examples = "emend log atlas --oneline -n 10",
          .document =
              "`{\"items\": [{\"commit\", \"state\", \"kind\", \"parents\", \"author\", \"time\", "
              "\"message\", \"added_count\", \"removed_count\", \"before\", \"after\", …}], "
              "\"next\"}`, newest first",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::log_verb
