#include "api/cli/files.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "coordinator/core/model_synthesis.h"

namespace emend::api::cli::verbs::model_synth_verb {
namespace {

using coordinator::core::SynthesisedModel;

struct Options {
  std::string config;
  std::string tokenizer;
  std::uint64_t seed = 0;
  std::string folder;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string folder, AbsolutePath(options.folder));
  PosixFileSystem files;
  EMEND_ASSIGN_OR_RETURN(const SynthesisedModel model,
                         coordinator::core::SynthesiseModel(files, {.config = options.config,
                                                                    .tokenizer = options.tokenizer,
                                                                    .seed = options.seed,
                                                                    .folder = folder}));
  const std::string dtype(storage::delta::DTypeName(model.dtype));
  if (session.json()) {
    session.Print({{"folder", folder},
                   {"family", model.family},
                   {"seed", options.seed},
                   {"dtype", dtype},
                   {"parameters", model.parameters},
                   {"weights_bytes", model.weights_bytes},
                   {"files", model.files}});
    return kExitOk;
  }
  session.out() << model.family << ", " << model.parameters << " parameters in " << dtype << ", "
                << RenderMebibytes(static_cast<double>(model.weights_bytes)) << ": " << folder
                << "\n";
  for (const std::string& file : model.files) session.out() << "  " << file << "\n";
  if (options.tokenizer.empty())
    session.out() << "it has no tokenizer, and no worker loads it without one: --tokenizer FOLDER "
                     "copies one\n";
  else
    session.Hint("model inspect " + ShellWord(folder), "says what it takes of the memory");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "--config",
                 .value = "FILE",
                 .help = "a config.json, on this machine",
                 .required = true,
                 .kind = ValueKind::kFile,
                 .into = &options.config});
  arguments.Add({.names = "-o,--output",
                 .value = "DIR",
                 .help = "new or empty folder, on this machine",
                 .required = true,
                 .kind = ValueKind::kFolder,
                 .into = &options.folder});
  arguments.Add({.names = "--seed",
                 .value = "N",
                 .help = "of the weights; 0 if not given",
                 .range = Range{0, kCountMax},
                 .into = &options.seed});
  arguments.Add({.names = "--tokenizer",
                 .value = "FOLDER",
                 .help = "a model's folder whose tokenizer is copied",
                 .kind = ValueKind::kFolder,
                 .into = &options.tokenizer});
}

}  // namespace

Verb Make() {
  return {
      .name = "model synth",
      .group = Group::kModel,
      .summary = "write a model with random weights, of a config's shape; needs no server",
      .details =
          "Such a model says nothing: it is for measuring what a shape costs. The same\n"
          "config and seed give the same bytes on every machine. Nothing of what is in\n"
          "the way is touched: a folder that is not empty is refused.",
      .examples = "emend model synth --config llama/config.json --tokenizer llama -o /tmp/random",
      .document =
          "`{\"folder\", \"family\", \"seed\", \"dtype\", \"parameters\", "
          "\"weights_bytes\", \"files\"}` (models.md, \"Random weights\")",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::model_synth_verb
