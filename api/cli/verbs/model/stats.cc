#include "api/cli/commits.h"
#include "api/cli/corpus.h"
#include "api/cli/evidence.h"
#include "api/cli/files.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::stats_verb {
namespace {

struct Options {
  std::string repo;
  std::string corpus;
  std::optional<std::uint64_t> lines;
  std::uint64_t tokens = 0;
  std::vector<std::int32_t> layers;
  std::uint64_t seed = 0;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  Json body = Json::object(), taken;
  if (!options.corpus.empty()) {
    EMEND_ASSIGN_OR_RETURN(const std::string text, ReadInput(options.corpus));
    EMEND_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(text, options.corpus, options.lines));
    body["lines"] = corpus.lines;
    taken = {
        {"lines", corpus.lines.size()}, {"too_short", corpus.too_short}, {"markup", corpus.markup}};
  } else if (options.lines) {
    return InvalidArgument(
        "reading the command: --lines chooses lines of a corpus, name one with --corpus FILE");
  }
  if (options.tokens > 0) body["tokens_max"] = options.tokens;
  if (!options.layers.empty()) body["layers"] = options.layers;
  if (options.seed > 0) body["seed"] = options.seed;
  EMEND_ASSIGN_OR_RETURN(Json result,
                         session.Run(RepoPath(options.repo, "/statistics"), body, options.submit));
  if (!taken.is_null()) result["corpus"] = taken;
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  std::string layers;
  for (const Json& layer : result.value("layers", Json::array()))
    layers += (layers.empty() ? "" : " ") + layer.dump();
  session.out() << RenderTable(
      {{"statistics", TextOf(result, "id")},
       {"layers", layers},
       {"tokens", std::to_string(static_cast<long>(NumberOf(result, "tokens")))},
       {"took", RenderSeconds(NumberOf(result, "seconds"))}});
  if (!taken.is_null()) {
    session.out() << "of the corpus: " << CountOf(taken, "lines") << " lines taken; passed over "
                  << CountOf(taken, "too_short") << " of at most 80 characters and "
                  << CountOf(taken, "markup") << " that start with \"<\"\n";
  }
  if (const long cut = CountOf(result, "lines_cut"); cut > 0) {
    session.out() << cut
                  << " lines are longer than the model's context: " << CountOf(result, "tokens_cut")
                  << " tokens of them were left out\n";
  }
  for (const Json& layer : result.value("experts", Json::array()))
    session.out() << RenderFrozenExperts(CountOf(layer, "layer"), layer);
  if (result.contains("sampled_by")) {
    session.out() << "over texts that the model made up itself (seed " << result["sampled_by"]
                  << "); texts as its users send them are better: --corpus FILE\n";
  }
  if (const double advised = NumberOf(result, "tokens_advised");
      NumberOf(result, "tokens") < advised) {
    session.out() << "few: at least " << static_cast<long>(advised)
                  << " tokens are advised; with less, edits disturb what stands near them.\n"
                  << "Commits are solved with these from now on, until stats runs again\n";
  }
  session.Hint("commit " + ShellWord(options.repo) + " -F FACTS");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add(
      {.names = "--corpus",
       .value = "FILE",
       .help = "text file, or JSON lines with a field \"text\"; without one the model samples its "
               "own text",
       .kind = ValueKind::kFile,
       .into = &options.corpus});
  arguments.Add({.names = "--lines",
                 .value = "N",
                 .help = "only the first N lines longer than 80 characters that do not start with "
                         "\"<\"",
                 .range = Range{1, kCountMax},
                 .into = &options.lines});
  arguments.Add(
      {.names = "--tokens", .value = "N", .help = "stop after N tokens", .into = &options.tokens});
  arguments.Add({.names = "--layers",
                 .value = "LIST",
                 .help = "layers, counted from 0, such as 3,4; those that commits edit if none is "
                         "named",
                 .into = &options.layers});
  arguments.Add({.names = "--seed",
                 .value = "N",
                 .help = "of the texts that the model samples",
                 .into = &options.seed});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {
      .name = "stats",
      .group = Group::kModel,
      .effect = Effect::kChanges,
      .summary = "compute the key covariances that edits are solved with",
      .examples = "emend stats atlas --corpus docs/examples/atlas/corpus.txt --lines 600",
      .document =
          "`{\"id\", \"layers\", \"tokens\", \"tokens_advised\", \"seconds\", "
          "\"sampled_by\"?, \"lines_cut\"?, \"tokens_cut\"?, \"experts\"?: [{\"layer\", \"count\", "
          "\"frozen\"}], \"corpus\"?: {\"lines\", "
          "\"too_short\", \"markup\"}}`; later commits use what was computed last",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::stats_verb
