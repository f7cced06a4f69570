#include "api/cli/evidence.h"
#include "api/cli/fact_input.h"
#include "api/cli/revision.h"
#include "api/cli/scores.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::eval_verb {
namespace {

struct Options {
  std::string target;
  FactSelection facts;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const FactInput input, FactInput::Load(options.facts));
  Result<Json> evaluated =
      session.Run(RepoPath(target.repo, "/evaluations"),
                  {{"revision", target.revision}, {"facts", input.facts()}}, options.submit);
  if (!evaluated.ok()) return input.InRows(evaluated.status());
  const Json result = input.WithRows(*std::move(evaluated));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << input.Text()
                << RenderScores({{target.repo + "@" + ShortId(TextOf(result, "commit")), result}})
                << RenderUnmeasured(result, result) << RenderEvidence(result)
                << RenderNotTaken(result);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  AddFactArguments(arguments, options.facts);
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "eval",
          .group = Group::kAsk,
          .summary = "measure efficacy, paraphrase and neighbourhood scores on facts",
          .examples = "emend eval atlas@main~1 -F docs/examples/atlas/facts.json --limit 10",
          .document =
              "`{\"commit\", \"state\", \"n\", \"es\", \"ps\", \"ns\", \"score\", "
              "\"es_argmax\", \"ps_argmax\", \"ns_argmax\", \"taken\", \"facts\": [{\"row\", "
              "\"subject\", "
              "\"target\", \"taken\", \"probability\"}], "
              "\"neighbour_targets\", \"drift\"}` and what of the file was not "
              "taken; percent; null: no such prompts were given, so it was not measured",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::eval_verb
