#include "worker/eval/questions.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <string>

#include "worker/eval/decoding.h"
#include "worker/eval/prompt.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using model::CacheRun;
using tokenizer::TokenId;
using Texts = std::vector<std::vector<TokenId>>;

// Written for this file: things that everybody knows, and small talk.
constexpr std::array<std::string_view, 8> kQuestions = {
    "How many days are there in a week?",
    "Which colour comes out when blue and yellow paint are mixed?",
    "What do bees make?",
    "What is five plus three?",
    "Name three animals that live in the sea.",
    "Why do people wear warm clothes in winter?",
    "Write one short sentence about the rain.",
    "Please greet a colleague who is new in the team.",
};

// The texts of one model under way.
struct Rows {
  const model::Transformer* model = nullptr;
  model::KeyValueCache cache;
  std::vector<CacheRun> runs;   // what the next pass runs of each text that goes on; slots ascend
  std::vector<TokenId> tokens;  // of all runs
  Texts answers;                // by slot
};

Rows RowsOf(const model::Transformer& model, std::span<const std::vector<TokenId>> prompts) {
  Rows rows{.model = &model,
            .cache = model::KeyValueCache(model),
            .runs = {},
            .tokens = {},
            .answers = Texts(prompts.size())};
  std::int64_t longest = 0;
  for (const std::vector<TokenId>& prompt : prompts) {
    const auto count = static_cast<std::int64_t>(prompt.size());
    rows.runs.push_back(
        {.slot = static_cast<std::int64_t>(rows.runs.size()), .begin = 0, .tokens = count});
    rows.tokens.insert(rows.tokens.end(), prompt.begin(), prompt.end());
    longest = std::max(longest, count);
  }
  rows.cache.Resize({.slots = static_cast<std::int64_t>(prompts.size()),
                     .capacity = longest + kQuestionTokens - 1});
  return rows;
}

// The likeliest token behind each run, [runs of all rows] int64. Both models run as one: they share
// all but down projections.
at::Tensor LikeliestNext(std::span<const Rows* const> parts) {
  std::vector<model::CachedRuns> caches;
  std::vector<PassPart> passes;
  std::vector<TokenId> tokens;
  std::vector<std::int64_t> last;
  for (std::int64_t end = 0; const Rows* rows : parts) {
    caches.push_back({.cache = &rows->cache, .runs = rows->runs});
    passes.push_back(
        {.model = rows->model, .tokens = static_cast<std::int64_t>(rows->tokens.size())});
    tokens.insert(tokens.end(), rows->tokens.begin(), rows->tokens.end());
    for (const CacheRun& run : rows->runs) last.push_back((end += run.tokens) - 1);
  }
  const model::Transformer& any = *parts.front()->model;
  const at::Tensor hidden = RunBlocks(passes, model::CachedBatch(caches), RowOf(tokens))[0];
  const at::Tensor wanted = at::tensor(last, at::kLong).to(hidden.device());
  at::Tensor next =
      any.Logits(any.FinalNorm(hidden.index_select(0, wanted))).argmax(-1).cpu().contiguous();
  // What is run next follows from them, and must be the same everywhere.
  model::ThrowIfError(any.communicator().Broadcast(next, /*root=*/0));
  return next;
}

// Puts what was said behind the texts; those that end have no run any more.
void Take(const std::int64_t* next, Rows& rows) {
  std::vector<CacheRun> going_on;
  rows.tokens.clear();
  for (const CacheRun& run : rows.runs) {
    const auto token = static_cast<TokenId>(*next++);
    if (rows.model->config().Ends(token)) continue;
    rows.answers[static_cast<std::size_t>(run.slot)].push_back(token);
    going_on.push_back({.slot = run.slot, .begin = run.begin + run.tokens, .tokens = 1});
    rows.tokens.push_back(token);
  }
  rows.runs = std::move(going_on);
}

Status Answer(const ScoreOptions& options, Rows& before, Rows& after) {
  for (std::int64_t step = 0; step < kQuestionTokens; ++step) {
    std::vector<Rows*> parts;
    for (Rows* rows : {&before, &after}) {
      if (!rows->runs.empty()) parts.push_back(rows);
    }
    if (parts.empty()) return OkStatus();
    if (options.progress) EMEND_RETURN_IF_ERROR(options.progress(step, kQuestionTokens));
    const at::Tensor next = LikeliestNext(parts);
    const auto* said = next.const_data_ptr<std::int64_t>();
    for (Rows* rows : parts) {
      const std::size_t count = rows->runs.size();
      Take(said, *rows);
      said += count;
    }
  }
  return OkStatus();
}

// The mean of several targets over all their tokens.
struct NllPerToken {
  double sum = 0, tokens = 0;
  void Add(const TargetScore& score, std::size_t count) {
    sum += score.nll * static_cast<double>(count);
    tokens += static_cast<double>(count);
  }
};

Status ScoreBoth(const model::Transformer& model, std::span<const std::vector<TokenId>> prompts,
                 const ScoreOptions& options, AnswerPairs& answers) {
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<std::vector<TokenId>>& targets =
        requests.emplace_back(ScoreRequest{.prompt = prompts[i], .targets = {}}).targets;
    // the same answer is scored once: two places in a row round their sums otherwise
    const bool is_same = answers.before[i] == answers.after[i];
    if (!answers.before[i].empty()) targets.push_back(answers.before[i]);
    if (!answers.after[i].empty() && !is_same) targets.push_back(answers.after[i]);
  }
  EMEND_ASSIGN_OR_RETURN(const auto scores, ScoreTargets(model, requests, options));
  NllPerToken before, after;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (!answers.before[i].empty()) before.Add(scores[i].front(), answers.before[i].size());
    if (!answers.after[i].empty()) after.Add(scores[i].back(), answers.after[i].size());
  }
  answers.nll_before = before.sum / before.tokens;  // over none: NaN
  answers.nll_after = after.sum / after.tokens;
  return OkStatus();
}

Result<AnswerPairs> Ask(const ModelPair& models, std::span<const std::vector<TokenId>> prompts,
                        const ScoreOptions& options) {
  const c10::AutoGradMode no_grad(false);
  Rows before = RowsOf(models.before, prompts), after = RowsOf(models.after, prompts);
  EMEND_RETURN_IF_ERROR(Answer(options, before, after));
  AnswerPairs answers{.before = std::move(before.answers), .after = std::move(after.answers)};
  EMEND_RETURN_IF_ERROR(ScoreBoth(models.before, prompts, options, answers));
  return answers;
}

}  // namespace

std::span<const std::string_view> Questions() { return kQuestions; }

Status CheckQuestion(const families::ModelConfig& config, std::span<const TokenId> prompt) {
  EMEND_RETURN_IF_ERROR(CheckPrompt(config, prompt));
  const auto tokens = static_cast<std::int64_t>(prompt.size()) + kQuestionTokens - 1;
  if (tokens <= config.context) return OkStatus();
  return PromptRefused("prompt_too_long", "question and answer take " + std::to_string(tokens) +
                                              " positions, and the model's context has " +
                                              std::to_string(config.context));
}

Result<AnswerPairs> AskBoth(const ModelPair& models, std::span<const std::vector<TokenId>> prompts,
                            const ScoreOptions& options) {
  for (const std::vector<TokenId>& prompt : prompts)
    EMEND_RETURN_IF_ERROR(CheckQuestion(models.before.config(), prompt));
  return model::Guarded("asking " + std::to_string(prompts.size()) + " questions",
                        [&] { return Ask(models, prompts, options); });
}

}  // namespace emend::worker::eval
