#include "worker/eval/answers.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <string>

#include "worker/eval/hidden.h"
#include "worker/eval/prompt.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

// A prompt with as much of its answer as is known.
struct Asked {
  std::size_t index = 0;
  std::vector<TokenId> tokens;
};

// Logits after the last token of each, [rows, vocabulary].
at::Tensor NextLogits(const model::Transformer& model, const RowBatch& batch,
                      const at::Tensor& places) {
  return model.Logits(HiddenAt(model, batch, places));
}

// One batch of prompts of like length, one more token of their answers. Those whose answer goes on
// are left in `asked`.
void Step(const ModelPair& models, bool is_first, std::vector<Asked>& asked, KeptAnswers& answers) {
  std::vector<Row> rows;
  for (const Asked& prompt : asked) rows.push_back(MakeRow({prompt.tokens, {}}, 0));
  const BatchOnDevice batch = LastTokens(models.before, rows);
  const at::Tensor before = NextLogits(models.before, batch.rows, batch.places),
                   after = NextLogits(models.after, batch.rows, batch.places);
  const at::Tensor said = before.argmax(-1).cpu(), says = after.argmax(-1).cpu();
  at::Tensor kl;
  if (is_first) {
    const at::Tensor p = at::log_softmax(before, -1, at::kDouble),
                     q = at::log_softmax(after, -1, at::kDouble);
    kl = (p.exp() * (p - q)).sum(-1).cpu();
  }
  std::vector<Asked> going_on;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto token = static_cast<TokenId>(said.const_data_ptr<std::int64_t>()[i]);
    const std::size_t index = asked[i].index;
    if (is_first) answers.kl[index] = kl.const_data_ptr<double>()[i];
    if (says.const_data_ptr<std::int64_t>()[i] != token) {
      answers.kept[index] = false;
    } else if (!models.before.config().Ends(token)) {
      asked[i].tokens.push_back(token);
      going_on.push_back(std::move(asked[i]));
    }
  }
  asked = std::move(going_on);
}

// Shortest first, so that rows of like length stand together.
std::vector<Asked> Sorted(std::span<const std::vector<TokenId>> prompts) {
  std::vector<Asked> sorted;
  for (std::size_t i = 0; i < prompts.size(); ++i) sorted.push_back({i, prompts[i]});
  std::ranges::stable_sort(sorted, {}, [](const Asked& asked) { return asked.tokens.size(); });
  return sorted;
}

Result<KeptAnswers> Compare(const ModelPair& models, std::span<const std::vector<TokenId>> prompts,
                            const ScoreOptions& options) {
  const c10::AutoGradMode no_grad(false);
  KeptAnswers answers{.kept = std::vector<bool>(prompts.size(), true),
                      .kl = std::vector<double>(prompts.size(), 0)};
  std::vector<Asked> left = Sorted(prompts);
  // the double softmax of both models' logits is what a batch may hold
  const std::int64_t rows_max =
      std::max<std::int64_t>(1, kLogitsMax / 4 / models.before.config().vocabulary);
  std::int64_t done = 0;
  for (auto begin = left.begin(); begin != left.end();) {
    auto end = begin + 1;
    while (end != left.end() && end - begin < rows_max &&
           (end - begin + 1) * static_cast<std::ptrdiff_t>(end->tokens.size() + kAnswerTokens) <=
               options.tokens_max)
      ++end;
    std::vector<Asked> batch(std::make_move_iterator(begin), std::make_move_iterator(end));
    done += end - begin;
    begin = end;
    for (std::int64_t step = 0; step < kAnswerTokens && !batch.empty(); ++step)
      Step(models, step == 0, batch, answers);
    if (options.progress)
      EMEND_RETURN_IF_ERROR(options.progress(done, static_cast<std::int64_t>(prompts.size())));
  }
  return answers;
}

}  // namespace

Result<KeptAnswers> CompareAnswers(const ModelPair& models,
                                   std::span<const std::vector<TokenId>> prompts,
                                   const ScoreOptions& options) {
  for (const std::vector<TokenId>& prompt : prompts) {
    EMEND_RETURN_IF_ERROR(CheckPrompt(models.before.config(), prompt));
    const auto tokens = static_cast<std::int64_t>(prompt.size()) + kAnswerTokens - 1;
    if (tokens > models.before.config().context)
      return PromptRefused("prompt_too_long", "prompt and answer take " + std::to_string(tokens) +
                                                  " positions, and the model's context has " +
                                                  std::to_string(models.before.config().context));
  }
  return model::Guarded("comparing the answers to " + std::to_string(prompts.size()) + " prompts",
                        [&] { return Compare(models, prompts, options); });
}

}  // namespace emend::worker::eval
