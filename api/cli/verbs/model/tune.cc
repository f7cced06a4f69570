#include <set>

#include "api/cli/fact_input.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/tries.h"
#include "api/cli/verb.h"
#include "storage/base/file_system.h"

namespace emend::api::cli::verbs::tune_verb {
namespace {

constexpr std::uint32_t kPlotMode = 0644;

struct Options {
  std::string target;
  FactSelection facts;
  std::string plot;
  bool show = false;
  bool clear = false;
  SubmitOptions submit;
};

// As `stats --layers` takes them.
std::string LayersLeftOut(const Json& result) {
  std::set<std::int32_t> layers;
  for (const Json& window : result["layers_left_out"]) layers.insert(window.begin(), window.end());
  std::string list;
  for (const std::int32_t layer : layers) list += (list.empty() ? "" : ",") + std::to_string(layer);
  return list;
}

void ShowTuned(Session& session, const std::string& repo, const Json& result) {
  const std::string shown = ShellWord(repo);
  session.out() << RenderTries(result) << "kept as the preset of " << repo << ": "
                << RenderSettings(result["preset"]) << "\n";
  if (const Json& left_out = result["layers_left_out"]; !left_out.empty()) {
    session.out() << left_out.size()
                  << " choices of layers were not tried: there are no covariances of them\n";
    session.Hint("stats " + shown + " --corpus FILE --layers " + LayersLeftOut(result),
                 "computes them; then tune again");
  }
  session.Hint("commit " + shown + " -F FACTS", "uses it");
}

Status Draw(const Json& result, const std::string& file) {
  EMEND_ASSIGN_OR_RETURN(const std::string svg, RenderTriesPlot(result));
  return PosixFileSystem().WriteAtomically(file, svg, kPlotMode);
}

Result<int> Tune(Session& session, const std::string& repo, const std::string& revision,
                 const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const FactInput input, FactInput::Load(options.facts));
  Result<Json> tuned =
      session.Run(RepoPath(repo, "/tunings"), {{"revision", revision}, {"facts", input.facts()}},
                  options.submit);
  if (!tuned.ok()) return input.InRows(tuned.status());
  const Json result = input.WithRows(*std::move(tuned));
  const Status drawn = options.plot.empty() ? OkStatus() : Draw(result, options.plot);
  if (session.json()) {
    EMEND_RETURN_IF_ERROR(drawn);
    session.Print(result);
    return kExitOk;
  }
  session.out() << input.Text();
  ShowTuned(session, repo, result);
  EMEND_RETURN_IF_ERROR(drawn);
  return kExitOk;
}

Result<int> ShowPreset(Session& session, const std::string& repo) {
  EMEND_ASSIGN_OR_RETURN(const Json preset, session.Get(RepoPath(repo, "/preset")));
  if (session.json()) {
    session.Print(preset);
    return kExitOk;
  }
  const Json tries = {{"n", preset["n"]},
                      {"tries", Json::array({preset["default"], preset["chosen"]})},
                      {"chosen", 2}};
  session.out() << "preset of " << repo << ", by " << TextOf(preset, "principal") << " on "
                << TextOf(preset, "created").substr(0, 19) << ": "
                << RenderSettings(preset["settings"]) << "\n"
                << RenderTries(tries);
  return kExitOk;
}

Result<int> ClearPreset(Session& session, const std::string& repo) {
  const client::Call call{
      .method = "DELETE", .path = RepoPath(repo, "/preset"), .body = "", .headers = {}};
  EMEND_RETURN_IF_ERROR(session.Send(call).status());
  if (session.json()) {
    session.Print({{"repo", repo}, {"cleared", true}});
  } else {
    session.out() << "commits of " << repo << " are solved by the defaults again\n";
  }
  return kExitOk;
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  const bool has_facts = !options.facts.file.empty();
  if (has_facts + options.show + options.clear != 1)
    return InvalidArgument(
        "reading the command: expected one of -F FILE, the facts to try settings on, --show and "
        "--clear");
  if (options.show) return ShowPreset(session, target.repo);
  if (options.clear) return ClearPreset(session, target.repo);
  return Tune(session, target.repo, target.revision, options);
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@REVISION]", .required = true, .into = &options.target});
  AddFactArguments(arguments, options.facts, Presence::kOptional);
  arguments.Add({.names = "--plot",
                 .value = "FILE",
                 .help = "draw the tries: what each learnt against what it kept, as SVG",
                 .kind = ValueKind::kFile,
                 .into = &options.plot});
  arguments.Add(
      {.names = "--show", .help = "show the preset, and try nothing", .into = &options.show});
  arguments.Add({.names = "--clear",
                 .help = "take the preset away: commits are solved by the defaults again",
                 .into = &options.clear});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "tune",
          .group = Group::kModel,
          .effect = Effect::kChanges,
          .summary = "try settings on facts held for it, and keep the best for commits",
          .details =
              "About a dozen solves, of which nothing is committed: first other layers, then how "
              "far a\ntarget may go, then what its distance weighs. Commits of the repo are solved "
              "by what was\nbest, the preset, where --set says nothing else. Hold the facts for "
              "it: settings that were\nchosen on the facts of a commit look better than they are. "
              "Give them paraphrases and\nneighbours.",
          .examples =
              "emend tune atlas -F held.json --limit 20 --plot tries.svg\n"
              "emend tune atlas --show",
          .document =
              "`{\"commit\", \"state\", \"n\", \"before\": {…}, \"tries\": [{\"settings\", \"es\", "
              "\"ps\", \"ns\", \"taken\", \"kept\", \"kl\", \"perplexity_before\", "
              "\"perplexity_after\", \"mean\", \"seconds\"}], \"chosen\", \"preset\", "
              "\"layers_left_out\"}` (operations.md) and what of the file was not taken; --show: "
              "`{\"method\", \"settings\", \"principal\", \"created\", \"n\", \"default\": {…}, "
              "\"chosen\": {…}}`; --clear: `{\"repo\", \"cleared\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::tune_verb
