#include "api/cli/corpus.h"
#include "api/cli/files.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

struct InitOptions {
  std::string repo;
  std::string model;
  std::string message;
  SubmitOptions submit;
};
struct StatsOptions {
  std::string repo;
  std::string corpus;
  std::optional<std::uint64_t> lines;
  std::uint64_t tokens = 0;
  std::vector<int> layers;
  std::uint64_t seed = 0;
  SubmitOptions submit;
};
struct ExportOptions {
  std::string target;
  std::string format = "safetensors";
  std::string folder;
  SubmitOptions submit;
};
struct VerifyOptions {
  std::string target;
  SubmitOptions submit;
};
struct FsckOptions {
  SubmitOptions submit;
};

Result<int> RunInit(Session& session, const InitOptions& options) {
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
  session.Hint("emend stats " + options.repo + " --corpus FILE, then emend commit " + options.repo +
               " -F FACTS");
  return kExitOk;
}

Result<int> RunStats(Session& session, const StatsOptions& options) {
  Json body = Json::object();
  if (!options.corpus.empty()) {
    EMEND_ASSIGN_OR_RETURN(const std::string text, ReadInput(options.corpus));
    const std::vector<std::string> lines = SelectCorpusLines(text, options.lines);
    if (lines.empty())
      return InvalidArgument(
          "reading the corpus " + options.corpus +
          ": no line is longer than 80 characters and does not start with \"<\"");
    body["lines"] = lines;
  } else if (options.lines) {
    return InvalidArgument(
        "reading the command: --lines chooses lines of a corpus, name one with --corpus FILE");
  }
  if (options.tokens > 0) body["tokens_max"] = options.tokens;
  if (!options.layers.empty()) body["layers"] = options.layers;
  if (options.seed > 0) body["seed"] = options.seed;
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(options.repo, "/statistics"), body, options.submit));
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
  session.Hint("emend commit " + options.repo + " -F FACTS");
  return kExitOk;
}

Result<int> RunExport(Session& session, const ExportOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const std::string folder, AbsolutePath(options.folder));
  EMEND_ASSIGN_OR_RETURN(
      const Json result,
      session.Run(RepoPath(target.repo, "/exports"),
                  {{"revision", target.revision}, {"format", options.format}, {"folder", folder}},
                  options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << "exported " << target.repo << "@" << ShortId(TextOf(result, "commit")) << " to "
                << TextOf(result, "folder") << "\n";
  for (const Json& file : result.value("files", Json::array()))
    session.out() << "  " << (file.is_string() ? file.get<std::string>() : TextOf(file, "name"))
                  << "\n";
  return kExitOk;
}

// 1 where the document says that it is not ok.
int Verdict(const Json& result) {
  return result.is_object() && result.value("ok", false) ? kExitOk : kExitNo;
}

std::string PaintVerdict(const Session& session, const Json& result) {
  return Verdict(result) == kExitOk ? session.terminal().Paint("ok", Colour::kGreen)
                                    : session.terminal().Paint("NOT ok", Colour::kRed);
}

Result<int> RunVerify(Session& session, const VerifyOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(target.repo, "/verifications"),
                                     {{"revision", target.revision}}, options.submit));
  if (session.json()) {
    session.Print(result);
    return Verdict(result);
  }
  const Json tensors = result.value("tensors", Json::array());
  for (const Json& tensor : tensors) {
    if (Verdict(tensor) != kExitOk)
      session.out() << TextOf(tensor, "name") << " is " << PaintVerdict(session, tensor) << ": "
                    << TextOf(tensor, "fault") << "\n";
  }
  session.out() << "compared " << tensors.size() << " tensors: " << target.repo << "@"
                << ShortId(TextOf(result, "commit")) << " is " << PaintVerdict(session, result)
                << "\n";
  return Verdict(result);
}

Result<int> RunFsck(Session& session, const FsckOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run("/api/v1/fsck", Json::object(), options.submit));
  if (session.json()) {
    session.Print(result);
    return Verdict(result);
  }
  for (const Json& problem : result.value("problems", Json::array()))
    session.out() << TextOf(problem, "where") << ": " << TextOf(problem, "what") << "\n";
  session.out() << "checked " << static_cast<long>(NumberOf(result, "commits")) << " commits and "
                << static_cast<long>(NumberOf(result, "edits")) << " edits: the store is "
                << PaintVerdict(session, result) << "\n";
  return Verdict(result);
}

}  // namespace

void AddModelVerbs(CLI::App& app, Action& chosen) {
  const auto init = Bind<InitOptions>(
      app, chosen, "init",
      "Register a model's folder (config.json, *.safetensors, tokenizer.json) as a new repo",
      RunInit);
  init.verb->add_option("REPO", init.options->repo, "name of the new repo")->required();
  init.verb
      ->add_option("--model", init.options->model, "the model's folder, on the server's machine")
      ->required();
  init.verb->add_option("-m,--message", init.options->message, "message of the import commit");
  AddSubmitOptions(init.verb, init.options->submit);
  const auto stats = Bind<StatsOptions>(
      app, chosen, "stats", "Compute the key covariances that edits are solved with", RunStats);
  stats.verb->add_option("REPO", stats.options->repo)->required();
  stats.verb->add_option("--corpus", stats.options->corpus,
                         "text file; without one the model samples its own text");
  stats.verb
      ->add_option("--lines", stats.options->lines,
                   "only the first N lines longer than 80 characters that do not start with \"<\"")
      ->check(CLI::Range(1, kCountMax));
  stats.verb->add_option("--tokens", stats.options->tokens, "stop after N tokens");
  stats.verb->add_option("--seed", stats.options->seed, "of the texts that the model samples");
  stats.verb
      ->add_option("--layers", stats.options->layers,
                   "layers, counted from 0; those that commits edit if none is named")
      ->delimiter(',');
  AddSubmitOptions(stats.verb, stats.options->submit);
  const auto exporting =
      Bind<ExportOptions>(app, chosen, "export", "Write a revision as a model's folder", RunExport);
  exporting.verb->add_option("REPO@REVISION", exporting.options->target)->required();
  exporting.verb->add_option("--format", exporting.options->format)->capture_default_str();
  exporting.verb
      ->add_option("-o,--output", exporting.options->folder,
                   "new or empty folder, on the server's machine")
      ->required();
  AddSubmitOptions(exporting.verb, exporting.options->submit);
  const auto verify = Bind<VerifyOptions>(
      app, chosen, "verify",
      "Compare live weights, an independent rebuild and the manifest; exits 1 if they differ",
      RunVerify);
  verify.verb->add_option("REPO@REVISION", verify.options->target)->required();
  AddSubmitOptions(verify.verb, verify.options->submit);
  const auto fsck = Bind<FsckOptions>(
      app, chosen, "fsck", "Check the whole store; exits 1 if something is wrong", RunFsck);
  AddSubmitOptions(fsck.verb, fsck.options->submit);
}

}  // namespace emend::api::cli
