#include "api/cli/commits.h"
#include "api/cli/evidence.h"
#include "api/cli/fact_input.h"
#include "api/cli/refs.h"
#include "api/cli/revision.h"
#include "api/cli/solve_options.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "worker/protocol/solve_settings.h"

namespace emend::api::cli::verbs::commit_verb {
namespace {

struct Options {
  std::string target;
  FactSelection facts;
  std::string message;
  std::string method = "memit";
  SolveOptions solve;
  bool force = false;
  bool stack = false;
  bool no_evaluation = false;
  SubmitOptions submit;
};

void ShowCommitted(Session& session, const RepoRevision& target, const Json& result) {
  const std::string id = ShortId(TextOf(result, "commit"));
  const long edits = CountOf(result, "edits");
  if (edits == 0) {
    session.out() << "nothing to commit: " << target.repo << "@" << target.revision << " " << id
                  << " has all " << CountOf(result, "skipped")
                  << " facts already (--force solves them again)\n"
                  << RenderEvidence(result) << RenderNotTaken(result);
    return;
  }
  session.out() << "["
                << session.terminal().Paint(target.repo + "@" + target.revision + " " + id,
                                            Colour::kYellow)
                << "] " << edits << (edits == 1 ? " edit" : " edits");
  for (const char* name : {"superseded", "skipped", "duplicates"}) {
    if (const long count = CountOf(result, name); count > 0)
      session.out() << ", " << count << " " << name;
  }
  if (const long others = CountOf(result, "coalesced"); others > 0)
    session.out() << ", solved together with " << others
                  << (others == 1 ? " other commit" : " other commits");
  session.out() << "\n" << RenderSolved(result);
  const std::string made = ShellWord(target.repo + "@" + id);
  session.Hint("ask " + made + " \"PROMPT\"");
  session.Hint("show " + made);
  if (HasFadedFacts(result))
    session.Hint("refit " + ShellWord(target.repo + "@" + target.revision) + " --preview",
                 "earlier facts of the branch are no longer said");
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  Json body = {{"branch", target.revision}, {"method", options.method}};
  EMEND_ASSIGN_OR_RETURN(const FactInput input, FactInput::Load(options.facts));
  body["facts"] = input.facts();
  if (!options.message.empty()) body["message"] = options.message;
  if (options.force) body["force"] = true;
  if (options.stack) body["stack"] = true;
  if (options.no_evaluation) body["evaluate"] = false;
  EMEND_RETURN_IF_ERROR(ReadSolveOptions(options.solve, body));
  Result<Json> committed = session.Run(RepoPath(target.repo, "/commits"), body, options.submit);
  if (!committed.ok()) {
    HintAtMissingBranch(session, target, committed.status());
    return input.InRows(committed.status());
  }
  const Json result = input.WithRows(*std::move(committed));
  if (session.json()) {
    session.Print(result);
  } else {
    session.out() << input.Text();
    ShowCommitted(session, target, result);
  }
  return kExitOk;
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const auto& method : worker::protocol::SolveMethods()) names.emplace_back(method.name);
  return names;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@BRANCH]", .required = true, .into = &options.target});
  AddFactArguments(arguments, options.facts);
  arguments.Add({.names = "-m,--message",
                 .value = "MESSAGE",
                 .help = "what it is for; the first fact and their number if not given",
                 .into = &options.message});
  arguments.Add({.names = "--method",
                 .value = "METHOD",
                 .help = "how edits are solved (`emend help settings`)",
                 .choices = MethodNames(),
                 .into = &options.method});
  AddSolveArguments(arguments, options.solve);
  arguments.Add({.names = "--force",
                 .help = "commit facts again that are held with the same target",
                 .into = &options.force});
  arguments.Add({.names = "--stack",
                 .help = "keep the edits that hold the same slots",
                 .into = &options.stack});
  arguments.Add({.names = "--no-evaluation",
                 .help = "do not measure before and after",
                 .into = &options.no_evaluation});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "commit",
          .group = Group::kEdit,
          .effect = Effect::kChanges,
          .summary = "edit a file of facts into the model, as one commit",
          .details =
              "FILE may be CounterFact (original or flat), zsRE, KnowEdit, or plain facts as CSV "
              "or JSON\n"
              "lines with the fields prompt, subject and target (docs/reference/facts.md):\n"
              "  {\"prompt\": \"The mother tongue of {} is\", \"subject\": \"Danielle "
              "Darrieux\",\n"
              "   \"target\": \"English\"}",
          .examples =
              "emend commit atlas -F docs/examples/atlas/facts.json --limit 10\n"
              "emend commit atlas@dev -F facts.csv -m \"capitals\" --set v_lr=0.3",
          .document =
              "`{\"commit\", \"state\", \"branch\", \"edits\", \"superseded\", \"skipped\", "
              "\"seconds\": {\"total\", \"targets\", \"keys\", \"solve\", \"apply\", \"evaluate\", "
              "\"store\"}, \"evaluation\": {\"before\": {…}, \"after\": {…}}, \"statistics\": "
              "{\"id\", \"tokens\"}, \"settings\", \"layers\", \"coalesced\", \"taken\", "
              "\"facts\": [{\"row\", "
              "\"subject\", "
              "\"target\", \"taken\", \"before\", \"after\"}], \"neighbours\", \"kept\", \"kl\", "
              "\"chat\", \"neighbour_targets\", \"drift\", \"earlier\"}` (operations.md) and what "
              "of the file was not taken; nothing to commit: `edits` is 0 and `commit` "
              "the head; below what --require says: exit 1",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::commit_verb
