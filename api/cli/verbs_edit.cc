#include "api/cli/files.h"
#include "api/cli/revision.h"
#include "api/cli/scores.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"
#include "storage/base/utf8.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

struct CommitOptions {
  std::string target;
  FactSelection facts;
  std::string message;
  std::string method = "memit";
  std::vector<std::string> settings;
  bool force = false;
  bool stack = false;
  bool no_evaluation = false;
  SubmitOptions submit;
};
struct RevertOptions {
  std::string target;
  std::string commit;
  std::string message;
  SubmitOptions submit;
};
struct AskOptions {
  std::string target;
  std::string prompt;
  int tokens_max = 16;
  int top = 5;
};
struct EvalOptions {
  std::string target;
  FactSelection facts;
  SubmitOptions submit;
};

constexpr const char* kCommitNeeds =
    "committing needs a file of facts: emend commit REPO[@BRANCH] -F FILE [--limit N] [--offset N] "
    "[-m MESSAGE] [--set key=value]...\n"
    "FILE may be CounterFact (original or flat), zsRE, KnowEdit, or plain facts as CSV or JSON "
    "lines with the fields\n"
    R"(prompt, subject, target: {"prompt": "The mother tongue of {} is", "subject": "Danielle Darrieux", "target": "English"})";

// "key=value" each; context_templates names a file that is read here.
Status ReadSettings(const std::vector<std::string>& words, Json& body) {
  Json settings = Json::object();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return InvalidArgument("reading --set " + word + ": expected key=value, such as v_lr=0.5");
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (key == "context_templates") {
      EMEND_ASSIGN_OR_RETURN(body["context_templates"], LoadContextTemplates(value));
    } else {
      settings[key] = value;
    }
  }
  if (!settings.empty()) body["settings"] = std::move(settings);
  return OkStatus();
}

std::string RenderPhases(const Json& seconds) {
  std::string line;
  if (!seconds.is_object()) return line;
  for (const auto& [name, value] : seconds.items()) {
    if (value.is_number())
      line += (line.empty() ? "" : ", ") + name + " " + RenderSeconds(value.get<double>());
  }
  return line;
}

long CountOf(const Json& result, const char* name) {
  const Json value = result.is_object() ? result.value(name, Json()) : Json();
  return value.is_array() ? static_cast<long>(value.size())
                          : static_cast<long>(NumberOf(result, name));
}

void ShowCommitted(Session& session, const RepoRevision& target, const Json& result) {
  const std::string id = ShortId(TextOf(result, "commit"));
  const long edits = CountOf(result, "edits");
  if (edits == 0) {
    session.out() << "nothing to commit: " << target.repo << "@" << target.revision << " " << id
                  << " holds all " << CountOf(result, "skipped")
                  << " facts already (--force solves them again)\n";
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
  session.out() << "\n" << RenderPhases(result.value("seconds", Json())) << "\n";
  if (const Json statistics = result.value("statistics", Json()); statistics.is_object()) {
    session.out() << "solved with statistics over " << CountOf(statistics, "tokens") << " tokens\n";
  }
  const Json evaluation = result.value("evaluation", Json());
  if (evaluation.is_object())
    session.out() << RenderScores({{"before", evaluation.value("before", Json())},
                                   {"after", evaluation.value("after", Json())}})
                  << RenderUnmeasured(evaluation.value("after", Json()));
  session.Hint("emend ask " + target.repo + "@" + id + " \"PROMPT\", emend show " + target.repo +
               "@" + id);
}

Result<int> RunCommit(Session& session, const CommitOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  if (options.facts.file.empty()) return InvalidArgument(kCommitNeeds);
  Json body = {{"branch", target.revision}, {"method", options.method}};
  EMEND_ASSIGN_OR_RETURN(body["facts"], LoadFacts(options.facts));
  if (!options.message.empty()) body["message"] = options.message;
  if (options.force) body["force"] = true;
  if (options.stack) body["stack"] = true;
  if (options.no_evaluation) body["evaluate"] = false;
  EMEND_RETURN_IF_ERROR(ReadSettings(options.settings, body));
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(target.repo, "/commits"), body, options.submit));
  if (session.json()) {
    session.Print(result);
  } else {
    ShowCommitted(session, target, result);
  }
  return kExitOk;
}

Result<int> RunRevert(Session& session, const RevertOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const std::string reverted, ParseRevisionOf(target.repo, options.commit));
  Json body = {{"branch", target.revision}, {"commit", reverted}};
  if (!options.message.empty()) body["message"] = options.message;
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(target.repo, "/reverts"), body, options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  const std::string id = ShortId(TextOf(result, "commit"));
  session.out() << "["
                << session.terminal().Paint(target.repo + "@" + target.revision + " " + id,
                                            Colour::kYellow)
                << "] reverted " << options.commit << ": " << CountOf(result, "removed")
                << " edits taken out, " << CountOf(result, "restored") << " put back\n";
  if (const long blocked = CountOf(result, "blocked"); blocked > 0) {
    session.out() << blocked
                  << " not put back: newer edits hold what they were about (revert those first)\n";
  }
  session.Hint("emend diff " + target.repo + "@" + id + "~1 " + target.repo + "@" + id);
  return kExitOk;
}

Result<int> RunAsk(Session& session, const AskOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  if (const auto invalid = FirstInvalidUtf8(options.prompt)) {
    return InvalidArgument("reading the prompt: byte " + std::to_string(*invalid) +
                           " starts no UTF-8 character");
  }
  const Json body = {{"revision", target.revision},
                     {"prompt", options.prompt},
                     {"tokens_max", options.tokens_max},
                     {"top", options.top}};
  EMEND_ASSIGN_OR_RETURN(const Json answer, session.Post(RepoPath(target.repo, "/answers"), body));
  if (session.json()) {
    session.Print(answer);
    return kExitOk;
  }
  session.out() << options.prompt << session.terminal().Paint(TextOf(answer, "text"), Colour::kBold)
                << "\n";
  std::string line = "commit " + ShortId(TextOf(answer, "commit"));
  for (const Json& token : answer.value("top", Json::array()))
    line += "  " +
            token.value("token", Json()).dump(-1, ' ', false, Json::error_handler_t::replace) +
            " " + RenderPercent(100 * NumberOf(token, "probability")) + "%";
  session.out() << session.terminal().Paint(line, Colour::kDim) << "\n";
  return kExitOk;
}

Result<int> RunEval(Session& session, const EvalOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const Json facts, LoadFacts(options.facts));
  EMEND_ASSIGN_OR_RETURN(
      const Json result,
      session.Run(RepoPath(target.repo, "/evaluations"),
                  {{"revision", target.revision}, {"facts", facts}}, options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << RenderScores({{target.repo + "@" + ShortId(TextOf(result, "commit")), result}})
                << RenderUnmeasured(result);
  return kExitOk;
}

void AddFactOptions(CLI::App* verb, FactSelection& facts) {
  verb->add_option("-F,--file", facts.file,
                   "file of facts: CounterFact, zsRE, KnowEdit, CSV, JSON lines");
  verb->add_option("--limit", facts.limit, "take at most N rows")->check(CLI::Range(1, kCountMax));
  verb->add_option("--offset", facts.offset, "pass over N rows first")
      ->check(CLI::Range(0, kCountMax));
}

}  // namespace

void AddSubmitOptions(CLI::App* verb, SubmitOptions& options) {
  verb->add_option(
          "--priority", options.priority,
          "how urgent it is: interactive, normal or batch; a better class is started first")
      ->check(CLI::IsMember({"interactive", "normal", "batch"}))
      ->capture_default_str();
  verb->add_option("--timeout", options.timeout,
                   "seconds after which it ends, waiting or running; none if not given")
      ->check(CLI::Range(1, kTimeoutMax));
}

void AddEditVerbs(CLI::App& app, Action& chosen) {
  const auto commit = Bind<CommitOptions>(
      app, chosen, "commit", "Edit a file of facts into the model, as one commit", RunCommit);
  commit.verb->add_option("REPO[@BRANCH]", commit.options->target)->required();
  AddFactOptions(commit.verb, commit.options->facts);
  commit.verb->add_option("-m,--message", commit.options->message,
                          "what it is for; the first fact and their number if not given");
  commit.verb->add_option("--method", commit.options->method, "how edits are solved")
      ->capture_default_str();
  commit.verb->add_option("--set", commit.options->settings,
                          "a setting by MEMIT's name: layers, v_lr, v_num_grad_steps, "
                          "v_weight_decay, clamp_norm_factor, kl_factor, "
                          "mom2_update_weight, ridge, loss_stop, seed, or context_templates=FILE "
                          "(docs/reference/cli.md has their defaults)");
  commit.verb->get_option("--set")->expected(1)->multi_option_policy(
      CLI::MultiOptionPolicy::TakeAll);
  commit.verb->add_flag("--force", commit.options->force,
                        "commit facts again that are held with the same target");
  commit.verb->add_flag("--stack", commit.options->stack,
                        "keep the edits that hold the same slots");
  commit.verb->add_flag("--no-evaluation", commit.options->no_evaluation,
                        "do not measure before and after");
  AddSubmitOptions(commit.verb, commit.options->submit);
  const auto revert = Bind<RevertOptions>(
      app, chosen, "revert", "Take a commit's edits out again, as a new commit", RunRevert);
  revert.verb->add_option("REPO[@BRANCH]", revert.options->target)->required();
  revert.verb->add_option("COMMIT", revert.options->commit, "the commit whose edits go")
      ->required();
  revert.verb->add_option("-m,--message", revert.options->message, "why");
  AddSubmitOptions(revert.verb, revert.options->submit);
  const auto ask = Bind<AskOptions>(app, chosen, "ask",
                                    "Let the model at a revision go on from a prompt", RunAsk);
  ask.verb->add_option("REPO@REVISION", ask.options->target)->required();
  ask.verb->add_option("PROMPT", ask.options->prompt)->required();
  ask.verb->add_option("--max-tokens", ask.options->tokens_max)
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  ask.verb
      ->add_option("--top", ask.options->top,
                   "how many first tokens to show with their probabilities")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  const auto eval =
      Bind<EvalOptions>(app, chosen, "eval",
                        "Measure efficacy, paraphrase and neighbourhood scores on facts", RunEval);
  eval.verb->add_option("REPO@REVISION", eval.options->target)->required();
  AddFactOptions(eval.verb, eval.options->facts);
  eval.verb->get_option("--file")->required();
  AddSubmitOptions(eval.verb, eval.options->submit);
}

}  // namespace emend::api::cli
