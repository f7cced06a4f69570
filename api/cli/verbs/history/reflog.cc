#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::reflog_verb {
namespace {

struct Options {
  std::string target;
  std::uint64_t count = 100;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  const std::string path = "/branches/" + client::EncodeSegment(target.revision) + "/reflog";
  EMEND_ASSIGN_OR_RETURN(const Json page,
                         session.GetPages(RepoPath(target.repo, path), options.count));
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

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@BRANCH]", .required = true, .into = &options.target});
  arguments.Add({.names = "-n",
                 .value = "N",
                 .help = "at most so many",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
}

}  // namespace

Verb Make() {
  return {.name = "reflog",
          .group = Group::kHistory,
          .summary = "where a branch has pointed, newest first",
          .examples = "emend reflog atlas@main",
          .document =
              "`{\"items\": [{\"index\", \"from\", \"to\", \"principal\", \"time\", "
              "\"reason\"}], \"next\"}`, newest first",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::reflog_verb
