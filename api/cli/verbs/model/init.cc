#include "api/cli/files.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::init_verb {
namespace {

struct Options {
  std::string repo;
  std::string model;
  std::string message;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string model, AbsolutePath(options.model));
  Json body = {{"name", options.repo}, {"model", model}};
  if (!options.message.empty()) body["message"] = options.message;
  EMEND_ASSIGN_OR_RETURN(const Json result, session.Run("/api/v1/repos", body, options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << "["
                << session.terminal().Paint(
                       options.repo + "@main " + ShortId(TextOf(result, "commit")), Colour::kYellow)
                << "] imported " << model << "\n"
                << RenderTable({{"base", ShortId(TextOf(result, "base"))},
                                {"state", ShortId(TextOf(result, "state"))}});
  PrintLeftOut(session, result);
  session.Warn(result["warnings"].get<std::vector<std::string>>());
  session.Hint("stats " + ShellWord(options.repo) + " --corpus FILE");
  session.Hint("commit " + ShellWord(options.repo) + " -F FACTS");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add(
      {.names = "REPO", .help = "name of the new repo", .required = true, .into = &options.repo});
  arguments.Add({.names = "--model",
                 .value = "PATH",
                 .help = "the model's folder or GGUF file, on the server's machine",
                 .required = true,
                 .kind = ValueKind::kFile,
                 .into = &options.model});
  arguments.Add({.names = "-m,--message",
                 .value = "MESSAGE",
                 .help = "message of the import commit",
                 .into = &options.message});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {
      .name = "init",
      .group = Group::kModel,
      .effect = Effect::kChanges,
      .summary = "register a model as a new repo",
      .details =
          "The folder holds config.json, *.safetensors and tokenizer.json, or tokenizer.model\n"
          "in its place; a GGUF file is converted to one. The path is made absolute here and\n"
          "means the server's machine.",
      .examples = "emend init atlas --model docs/examples/atlas/model",
      .document =
          "`{\"repo\", \"commit\", \"state\", \"base\", \"warnings\", \"left_out\": [{\"name\", "
          "\"why\"}]}`; what no worker can load is refused before it is copied (models.md)",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::init_verb
