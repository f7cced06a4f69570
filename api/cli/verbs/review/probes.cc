#include "api/cli/commits.h"
#include "api/cli/fact_input.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::probes_verb {
namespace {

struct Options {
  std::string repo;
  std::optional<std::string> name;
  FactSelection facts;
  bool remove = false;
  SubmitOptions submit;
};

std::string PathOf(const Options& options) {
  return RepoPath(options.repo, "/probes/" + client::EncodeSegment(*options.name));
}

Result<int> List(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json suites, session.GetAll(RepoPath(options.repo, "/probes")));
  if (session.json()) {
    session.Print(suites);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"SUITE", "FACTS", "BY"}};
  for (const Json& suite : suites.value("items", Json::array()))
    rows.push_back(
        {TextOf(suite, "name"), std::to_string(CountOf(suite, "n")), TextOf(suite, "principal")});
  session.out() << (rows.size() == 1 ? "there is none\n" : RenderTable(rows));
  if (rows.size() == 1)
    session.Hint("probes " + ShellWord(options.repo) + " core -F FACTS",
                 "what no proposal may make it forget");
  return kExitOk;
}

Result<int> Show(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json suite, session.Get(PathOf(options)));
  if (session.json()) {
    session.Print(suite);
    return kExitOk;
  }
  for (const Json& fact : suite.value("facts", Json::array()))
    session.out() << QuestionOf(fact) << " -> " << TextOf(fact, "target") << "\n";
  return kExitOk;
}

Result<int> Remove(Session& session, const Options& options) {
  EMEND_RETURN_IF_ERROR(
      session.Send({.method = "DELETE", .path = PathOf(options), .body = "", .headers = {}})
          .status());
  if (session.json()) {
    session.Print({{"name", *options.name}, {"deleted", true}});
  } else {
    session.out() << "took the probe suite " << *options.name << " away\n";
  }
  return kExitOk;
}

Result<int> Put(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const FactInput input, FactInput::Load(options.facts));
  const Result<Json> ran =
      session.Run(RepoPath(options.repo, "/probes"),
                  {{"name", *options.name}, {"facts", input.facts()}}, options.submit);
  if (!ran.ok()) return input.InRows(ran.status());
  if (session.json()) {
    session.Print(input.WithRows(*ran));
    return kExitOk;
  }
  session.out() << input.Text() << "every proposal is asked " << CountOf(*ran, "n") << " facts of "
                << *options.name << " now\n";
  session.Hint("protect " + ShellWord(options.repo) + " main --require probes=100",
               "then none of those that it says may be forgotten");
  return kExitOk;
}

Result<int> Run(Session& session, const Options& options) {
  if (!options.name && (options.remove || !options.facts.file.empty()))
    return InvalidArgument("a probe suite's name is missing, such as: emend probes " +
                           options.repo + " core");
  if (!options.name) return List(session, options);
  if (options.remove) return Remove(session, options);
  return options.facts.file.empty() ? Show(session, options) : Put(session, options);
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add(
      {.names = "NAME", .help = "of a suite; without one all are listed", .into = &options.name});
  AddFactArguments(arguments, options.facts, Presence::kOptional);
  arguments.Add({.names = "-d,--delete", .help = "take it away", .into = &options.remove});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "probes",
          .group = Group::kReview,
          .effect = Effect::kChanges,
          .summary = "facts that no proposal may make the model forget",
          .details =
              "A suite is asked at every check of a proposal, on what the target says and on "
              "what the merge would\nsay.",
          .examples =
              "emend probes atlas\nemend probes atlas core -F core.json\nemend probes "
              "atlas core\nemend probes atlas -d core",
          .document =
              "list: `{\"items\": [{\"name\", \"n\", \"digest\", \"principal\", "
              "\"created\"}]}`; one: `{\"name\", \"principal\", \"created\", "
              "\"facts\"}`; put: `{\"name\", \"n\", \"digest\"}`; delete: `{\"name\", "
              "\"deleted\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::probes_verb
