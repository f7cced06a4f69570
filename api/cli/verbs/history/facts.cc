#include "api/cli/commits.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::facts_verb {
namespace {

struct Options {
  std::string target;
  std::optional<std::string> subject;
  std::uint64_t count = 100;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  std::string path =
      RepoPath(target.repo, "/facts?revision=" + client::EncodeSegment(target.revision));
  if (options.subject) path += "&subject=" + client::EncodeSegment(*options.subject);
  EMEND_ASSIGN_OR_RETURN(const Json page, session.GetPages(path, options.count));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  const Json items = page.value("items", Json::array());
  for (const Json& held : items) {
    for (const Json& fact : held.value("facts", Json::array())) {
      session.out() << session.terminal().Paint(ShortId(TextOf(held, "edit")), Colour::kYellow)
                    << "  " << QuestionOf(fact) << " -> "
                    << session.terminal().Paint(TextOf(fact, "target"), Colour::kGreen) << "\n";
    }
  }
  if (items.empty())
    session.out() << "it holds nothing" << (options.subject ? " about " + *options.subject : "")
                  << " that was edited\n";
  if (page.value("next", Json()).is_string())
    session.Hint("facts " + ShellWord(options.target) + " -n " + std::to_string(options.count * 10),
                 "there are more");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@REVISION]", .required = true, .into = &options.target});
  arguments.Add(
      {.names = "SUBJECT", .help = "what it holds about this alone", .into = &options.subject});
  arguments.Add({.names = "-n",
                 .value = "COUNT",
                 .help = "how many edits",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
}

}  // namespace

Verb Make() {
  return {.name = "facts",
          .group = Group::kHistory,
          .summary = "what a revision holds: the facts of its edits",
          .examples = "emend facts atlas\nemend facts atlas@v1 \"Gianluigi Lentini\"",
          .document = "`{\"items\": [{\"edit\", \"method\", \"facts\"}], \"next\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::facts_verb
