#include "worker/server/questions.h"

#include <algorithm>
#include <utility>

#include "storage/base/utf8.h"
#include "storage/text/slot.h"
#include "worker/server/conversation.h"

namespace emend::worker::server {
namespace {

using protocol::QuestionReport;
using tokenizer::TokenId;
using Prompts = std::vector<std::vector<TokenId>>;

// What a template is told that writes a date: the same at every commit and on every rank.
constexpr WallTime kToday = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);

// Of questions as the user's only message.
Result<Prompts> PromptsOf(const LiveBase& base, const std::vector<std::string>& questions) {
  Prompts prompts;
  for (const std::string& question : questions) {
    EMEND_ASSIGN_OR_RETURN(prompts.emplace_back(),
                           EncodeConversation(base, {{"user", question}}, kToday));
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

Result<std::optional<QuestionReport>> Ask(const LiveBase& base, const eval::ModelPair& models,
                                          const std::vector<std::string>& questions,
                                          const eval::ScoreOptions& options) {
  const Result<std::optional<chat::ChatTemplate>>& chat = base.chat_template();
  if (questions.empty() || (chat.ok() && !*chat)) return std::optional<QuestionReport>();
  QuestionReport report;
  const Result<Prompts> prompts = chat.ok() ? PromptsOf(base, questions) : chat.status();
  if (!prompts.ok()) {
    report.fault = prompts.status().message();
    return std::optional(std::move(report));
  }
  EMEND_ASSIGN_OR_RETURN(const eval::AnswerPairs answers, eval::AskBoth(models, *prompts, options));
  for (std::size_t i = 0; i < prompts->size(); ++i) {
    report.answers.push_back({.question = questions[i],
                              .before = SaidText(base, answers.before[i]),
                              .after = SaidText(base, answers.after[i]),
                              .same = answers.before[i] == answers.after[i]});
  }
  report.nll_before = answers.nll_before;
  report.nll_after = answers.nll_after;
  return std::optional(std::move(report));
}

}  // namespace

Result<std::optional<QuestionReport>> AskQuestions(const LiveBase& base,
                                                   const eval::ModelPair& models,
                                                   const eval::ScoreOptions& options) {
  const std::span<const std::string_view> questions = eval::Questions();
  return Ask(base, models, {questions.begin(), questions.end()}, options);
}

Result<std::optional<QuestionReport>> AskInChat(const LiveBase& base, const eval::ModelPair& models,
                                                std::span<const protocol::EvaluateFact> facts,
                                                const eval::ScoreOptions& options) {
  const std::size_t count = std::min(facts.size(), protocol::kChatFactsMax);
  std::vector<std::string> questions, targets;
  for (std::size_t i = 0; i < count; ++i) {
    const protocol::EvaluateFact& fact = facts[i * facts.size() / count];
    questions.push_back(storage::text::FillSlot(fact.prompt, fact.subject));
    targets.push_back(fact.target);
  }
  EMEND_ASSIGN_OR_RETURN(std::optional<QuestionReport> report,
                         Ask(base, models, questions, options));
  for (std::size_t i = 0; report && i < report->answers.size(); ++i) {
    protocol::AnsweredQuestion& answer = report->answers[i];
    answer.said_before = answer.before.find(targets[i]) != std::string::npos;
    answer.said = answer.after.find(targets[i]) != std::string::npos;
  }
  return report;
}

std::vector<std::string> ChatContexts(const LiveBase& base) {
  const Result<std::optional<chat::ChatTemplate>>& chat = base.chat_template();
  if (!chat.ok() || !*chat) return {};
  chat::Options options;
  options.now = kToday;
  Result<std::string> text =
      (*chat)->Render({{"user", std::string(storage::text::kSlot)}}, options);
  const auto own = base.tokenizer().Encode("", tokenizer::SpecialTokens::kWithTemplate);
  if (!text.ok() || !own.ok() || storage::text::CountSlots(*text) != 1) return {};
  const auto tokens = base.tokenizer().Encode(*text, tokenizer::SpecialTokens::kPlain);
  if (!tokens.ok()) return {};
  if (!own->empty() && !tokens->empty() && own->front().id == tokens->front().id)
    text->erase(0, tokens->front().end);
  return {*std::move(text)};
}

}  // namespace emend::worker::server
