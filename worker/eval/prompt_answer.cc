#include "worker/eval/prompt_answer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <span>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "worker/eval/decoding.h"
#include "worker/eval/prompt.h"
#include "worker/eval/request_table.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

Result<std::vector<TokenId>> Likeliest(const model::Transformer& model,
                                       const std::vector<TokenId>& prompt,
                                       std::int64_t tokens_max) {
  const c10::AutoGradMode no_grad(false);
  Decoding decoding(model, static_cast<std::int64_t>(prompt.size()) + tokens_max);
  std::vector<TokenId> answer;
  at::Tensor logits = decoding.Run(RowOf(prompt));
  while (true) {
    const auto token = static_cast<TokenId>(logits.argmax(-1).item<std::int64_t>());
    if (model.config().Ends(token)) return answer;
    answer.push_back(token);
    const bool is_last = static_cast<std::int64_t>(answer.size()) >= tokens_max ||
                         decoding.done() == model.config().context;
    if (is_last) return answer;
    logits = decoding.Run(RowOf(std::span(&answer.back(), 1)));
  }
}

}  // namespace

Result<PromptAnswer> AnswerGreedily(const model::Transformer& model,
                                    const tokenizer::Tokenizer& tokenizer, std::string_view prompt,
                                    std::int64_t tokens_max) {
  EMEND_ASSIGN_OR_RETURN(const auto tokens,
                         tokenizer.Encode(prompt, tokenizer::SpecialTokens::kWithTemplate));
  PromptAnswer said;
  for (const tokenizer::Token& token : tokens) said.prompt.push_back(token.id);
  EMEND_RETURN_IF_ERROR(CheckPrompt(model.config(), said.prompt));
  EMEND_ASSIGN_OR_RETURN(said.answer, model::Guarded("answering a prompt", [&] {
                           return Likeliest(model, said.prompt, tokens_max);
                         }));
  if (said.answer.empty()) {
    return PromptRefused("empty_answer", "the model ends the text right behind " +
                                             JsonQuote(Shortened(prompt)) +
                                             ": give the answer that is asked about");
  }
  for (const TokenId token : said.answer) said.text += tokenizer.TokenText(token);
  // the last token may cut a character
  while (const auto offset = FirstInvalidUtf8(said.text)) said.text.erase(*offset, 1);
  return said;
}

Result<PromptAnswer> GivenAnswer(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer, std::string_view prompt,
                                 std::string_view answer) {
  RequestTable table(tokenizer, model.config().context);
  EMEND_RETURN_IF_ERROR(table.Add(prompt, answer, storage::text::Join::kByText).status());
  const ScoreRequest& request = table.requests().front();
  return PromptAnswer{request.prompt, request.targets.front(),
                      storage::text::AnswerText(prompt, answer, storage::text::Join::kByText)};
}

Result<double> LogProbability(const model::Transformer& model, const PromptAnswer& said) {
  const ScoreRequest request{.prompt = said.prompt, .targets = {said.answer}};
  EMEND_ASSIGN_OR_RETURN(const auto scores, ScoreTargets(model, std::span(&request, 1), {}));
  return -scores[0][0].nll * static_cast<double>(said.answer.size());
}

}  // namespace emend::worker::eval
