#include "worker/edit/prompts.h"

#include <string_view>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "storage/text/join.h"
#include "storage/text/slot.h"

namespace emend::worker::edit {
namespace {

using storage::text::kSlot;

constexpr std::string_view kDriftPrompt = "{} is a";

Status BadFact(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_fact", std::move(message)};
}

std::string FactName(std::int64_t index, const EditFact& fact) {
  return (fact.name.empty() ? "fact " + std::to_string(index) : "at " + fact.name) + " (" +
         JsonQuote(Shortened(fact.subject)) + ")";
}

Status CheckFact(const EditFact& fact) {
  const std::size_t slots = storage::text::CountSlots(fact.prompt);
  if (slots == 0) {
    return BadFact("its prompt " + JsonQuote(Shortened(fact.prompt)) +
                   " has no {} where the subject goes");
  }
  if (slots > 1) {
    return BadFact("its prompt " + JsonQuote(Shortened(fact.prompt)) +
                   " has more than one {}, expected one");
  }
  if (fact.subject.empty()) return BadFact("its subject is empty");
  if (fact.target.find_first_not_of(" \t\r\n") == std::string::npos)
    return BadFact("its target is empty");
  return OkStatus();
}

// A prompt with the subject written out, and where the subject ends in it.
struct FilledPrompt {
  std::string text;
  std::size_t subject_end = 0;
};

FilledPrompt Fill(std::string_view context, std::string_view prompt, std::string_view subject) {
  const std::size_t prompt_begin = context.find(kSlot);
  const std::size_t slot = prompt.find(kSlot);
  FilledPrompt filled;
  filled.text.append(context.substr(0, prompt_begin))
      .append(prompt.substr(0, slot))
      .append(subject);
  filled.subject_end = filled.text.size();
  filled.text.append(prompt.substr(slot + kSlot.size()))
      .append(context.substr(prompt_begin + kSlot.size()));
  return filled;
}

Status CheckLength(const PromptRow& row, std::int64_t context_tokens) {
  if (row.token_count() <= context_tokens) return OkStatus();
  return BadFact("prompt, context and target have " + std::to_string(row.token_count()) +
                 " tokens, more than the model's context of " + std::to_string(context_tokens));
}

class FactEncoder {
 public:
  FactEncoder(const tokenizer::Tokenizer& tokenizer,
              const std::vector<std::vector<std::string>>& templates, std::int64_t context_tokens)
      : tokenizer_(tokenizer), templates_(templates), context_tokens_(context_tokens) {}

  Status Append(std::int64_t index, const EditFact& fact, std::vector<PromptRow>& rows) const {
    EMEND_RETURN_IF_ERROR(CheckFact(fact));
    for (std::size_t group = 0; group < templates_.size(); ++group) {
      const double key_weight =
          1.0 / static_cast<double>(templates_.size() * templates_[group].size());
      for (const std::string& context : templates_[group]) {
        PromptRow row{.fact = index,
                      .kind = group == 0 ? RowKind::kBare : RowKind::kContext,
                      .key_weight = key_weight};
        const FilledPrompt prompt = Fill(context, fact.prompt, fact.subject);
        EMEND_RETURN_IF_ERROR(EncodeWithTarget(
            prompt, storage::text::AnswerText(prompt.text, fact.target, fact.join), row));
        rows.push_back(std::move(row));
      }
    }
    PromptRow drift{.fact = index, .kind = RowKind::kDrift};
    EMEND_RETURN_IF_ERROR(EncodeToLookup(Fill(kSlot, kDriftPrompt, fact.subject), drift));
    rows.push_back(std::move(drift));
    return OkStatus();
  }

 private:
  // What the server's own prompts get: the special tokens of the tokenizer's template (a <s>, if
  // there is one).
  static constexpr auto kSpecialTokens = tokenizer::SpecialTokens::kWithTemplate;

  Status EncodeWithTarget(const FilledPrompt& prompt, const std::string& target,
                          PromptRow& row) const {
    EMEND_ASSIGN_OR_RETURN(
        const tokenizer::PromptWithTarget joint,
        tokenizer::EncodePromptWithTarget(tokenizer_, prompt.text, target, kSpecialTokens));
    EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens,
                           tokenizer_.Encode(prompt.text + target, kSpecialTokens));
    EMEND_ASSIGN_OR_RETURN(const std::size_t lookup,
                           tokenizer::LastSubjectToken(tokens, prompt.subject_end));
    row.lookup = static_cast<std::int64_t>(lookup);
    row.ids.assign(joint.ids.begin(), joint.ids.end() - 1);
    row.target_ids.assign(joint.ids.begin() + static_cast<std::ptrdiff_t>(joint.prompt_tokens),
                          joint.ids.end());
    return CheckLength(row, context_tokens_);
  }

  Status EncodeToLookup(const FilledPrompt& prompt, PromptRow& row) const {
    EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens,
                           tokenizer_.Encode(prompt.text, kSpecialTokens));
    EMEND_ASSIGN_OR_RETURN(const std::size_t lookup,
                           tokenizer::LastSubjectToken(tokens, prompt.subject_end));
    row.lookup = static_cast<std::int64_t>(lookup);
    for (std::size_t i = 0; i <= lookup; ++i) row.ids.push_back(tokens[i].id);
    return CheckLength(row, context_tokens_);
  }

  const tokenizer::Tokenizer& tokenizer_;
  const std::vector<std::vector<std::string>>& templates_;
  const std::int64_t context_tokens_;
};

}  // namespace

Result<std::vector<PromptRow>> EncodeFacts(const tokenizer::Tokenizer& tokenizer,
                                           std::span<const EditFact> facts,
                                           const std::vector<std::vector<std::string>>& templates,
                                           std::int64_t context_tokens) {
  const FactEncoder encoder(tokenizer, templates, context_tokens);
  std::vector<PromptRow> rows;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    EMEND_RETURN_IF_ERROR(
        encoder.Append(index, facts[i], rows).WithContext(FactName(index, facts[i])));
  }
  return rows;
}

}  // namespace emend::worker::edit
