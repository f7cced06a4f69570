#include "worker/server/questions.h"

#include <string>
#include <utility>
#include <vector>

#include "storage/base/utf8.h"
#include "worker/server/conversation.h"

namespace emend::worker::server {
namespace {

using protocol::QuestionReport;
using tokenizer::TokenId;
using Prompts = std::vector<std::vector<TokenId>>;

// What a template is told that writes a date: the same at every commit and on every rank.
constexpr WallTime kToday = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);

Result<Prompts> PromptsOf(const LiveBase& base) {
  Prompts prompts;
  for (const std::string_view question : eval::Questions()) {
    EMEND_ASSIGN_OR_RETURN(prompts.emplace_back(),
                           EncodeConversation(base, {{"user", std::string(question)}}, kToday));
    EMEND_RETURN_IF_ERROR(eval::CheckQuestion(base.base_model().config(), prompts.back()));
  }
  return prompts;
}

std::string SaidText(const LiveBase& base, const std::vector<TokenId>& answer) {
  std::string text = base.tokenizer().Decode(answer);
  // the last token may cut a character
  while (const auto offset = FirstInvalidUtf8(text)) text.erase(*offset, 1);
  return text;
}

}  // namespace

Result<std::optional<QuestionReport>> AskQuestions(const LiveBase& base,
                                                   const eval::ModelPair& models,
                                                   const eval::ScoreOptions& options) {
  const Result<std::optional<chat::ChatTemplate>>& chat = base.chat_template();
  if (chat.ok() && !*chat) return std::optional<QuestionReport>();
  QuestionReport report;
  const Result<Prompts> prompts = chat.ok() ? PromptsOf(base) : chat.status();
  if (!prompts.ok()) {
    report.fault = prompts.status().message();
    return std::optional(std::move(report));
  }
  EMEND_ASSIGN_OR_RETURN(const eval::AnswerPairs answers, eval::AskBoth(models, *prompts, options));
  for (std::size_t i = 0; i < prompts->size(); ++i) {
    report.answers.push_back({std::string(eval::Questions()[i]), SaidText(base, answers.before[i]),
                              SaidText(base, answers.after[i]),
                              answers.before[i] == answers.after[i]});
  }
  report.nll_before = answers.nll_before;
  report.nll_after = answers.nll_after;
  return std::optional(std::move(report));
}

}  // namespace emend::worker::server
