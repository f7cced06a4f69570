#include "api/cli/completion.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::completion_verb {
namespace {

struct Options {
  std::string shell;
};

Result<int> Run(Session& session, const Options& options) {
  session.out() << RenderCompletion(options.shell);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "SHELL",
                 .required = true,
                 .choices = {"bash", "zsh", "fish"},
                 .into = &options.shell});
}

}  // namespace

Verb Make() {
  return {.name = "completion",
          .group = Group::kHouse,
          .summary = "a script with which a shell completes verbs and options",
          .examples =
              "source <(emend completion bash)\n"
              "emend completion zsh > ~/.zfunc/_emend\n"
              "emend completion fish > ~/.config/fish/completions/emend.fish",
          .document = "none: text",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::completion_verb
