#include "api/cli/commits.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::proposals_verb {
namespace {

struct Options {
  std::string repo;
  std::uint64_t count = 30;
  bool all = false;
};

Colour ColourOf(const std::string& state) {
  return state == "open" ? Colour::kGreen : state == "merged" ? Colour::kBlue : Colour::kDim;
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(
      const Json page,
      session.GetPages(
          RepoPath(options.repo, "/proposals?state=" + std::string(options.all ? "all" : "open")),
          options.count));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  const Json items = page.value("items", Json::array());
  std::vector<std::vector<std::string>> rows;
  for (const Json& one : items) {
    const std::string state = TextOf(one, "state");
    rows.push_back({std::to_string(CountOf(one, "number")),
                    session.terminal().Paint(state, ColourOf(state)),
                    TextOf(one, "source") + " -> " + TextOf(one, "target"), TextOf(one, "author"),
                    Plain(TextOf(one, "title"))});
  }
  session.out() << (rows.empty() ? (options.all ? "there is none\n" : "none is open\n")
                                 : RenderTable(rows));
  if (!items.empty())
    session.Hint("review " + ShellWord(options.repo) + " " +
                     std::to_string(CountOf(items.front(), "number")),
                 "shows it");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add({.names = "--all", .help = "those that are over, too", .into = &options.all});
  arguments.Add({.names = "-n",
                 .value = "COUNT",
                 .help = "how many",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
}

}  // namespace

Verb Make() {
  return {.name = "proposals",
          .group = Group::kReview,
          .summary = "list what is proposed, newest first",
          .examples = "emend proposals atlas",
          .document =
              "`{\"items\": [{\"number\", \"title\", \"text\", \"source\", \"target\", "
              "\"author\", \"created\", \"state\", \"ended_by\", \"ended\", "
              "\"merged\"}], \"next\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::proposals_verb
