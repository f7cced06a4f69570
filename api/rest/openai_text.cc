// Texts after prompts: POST /v1/completions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "api/rest/openai_fields.h"

namespace emend::api::rest {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using worker::protocol::PieceToken;

constexpr std::int64_t kLogprobsMax = 5;

// Nothing if they are no ids, or none.
std::vector<std::int32_t> TokensOf(const json& value) {
  const auto is_id = [](const json& id) {
    const double number = id.is_number() ? id.get<double>() : -1;
    return number >= 0 && number <= std::numeric_limits<std::int32_t>::max() &&
           number == std::floor(number);
  };
  const bool fits = value.is_array() && value.size() <= kTokensMax &&
                    std::all_of(value.begin(), value.end(), is_id);
  return fits ? value.get<std::vector<std::int32_t>>() : std::vector<std::int32_t>();
}

// A text, its token ids, or a list of either.
void ReadPrompts(Fields& fields, std::vector<coordinator::answers::Prompt>& prompts) {
  const json* const value = fields.Find("prompt");
  const bool is_list = value != nullptr && value->is_array() && !value->empty();
  if (!is_list || (*value)[0].is_string()) {
    for (std::string& text : fields.Texts("prompt", kTextsPerRequestMax))
      prompts.push_back({.text = std::move(text)});
    if (prompts.empty()) fields.Refuse("prompt", nullptr, "the text to go on from");
    return;
  }
  const bool is_one = (*value)[0].is_number();
  for (const json& each : is_one ? json::array({*value}) : *value)
    prompts.push_back({.text = "", .tokens = TokensOf(each)});
  const bool fits =
      prompts.size() <= kTextsPerRequestMax &&
      std::ranges::none_of(prompts, [](const auto& prompt) { return prompt.tokens.empty(); });
  if (!fits) {
    fields.Refuse("prompt", *value,
                  "a text or its token ids, or a list of 1 to " +
                      std::to_string(kTextsPerRequestMax) + " of either");
  }
}

Result<CompletionBody> ReadTextBody(const json& body) {
  Fields fields(body);
  CompletionBody completion;
  worker::protocol::Complete& text = completion.request.text;
  ReadPrompts(fields, completion.request.prompts);
  ReadCommonFields(fields, completion);
  text.tokens_max = static_cast<std::int32_t>(fields.Whole("max_tokens", 16, {0, kTokensMax}));
  const json* const logprobs = fields.Find("logprobs");
  text.top = logprobs != nullptr && *logprobs == json(false)
                 ? -1
                 : static_cast<std::int32_t>(
                       fields.Whole("logprobs", -1, {0, kLogprobsMax, /*is_off_below=*/true}));
  fields.Neutral("best_of", completion.request.count);
  text.echo = fields.Flag("echo");
  fields.Neutral("suffix", "");
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return completion;
}

ordered_json SaidText(const std::string& text, Part) { return {{"text", text}}; }

// A name that no other has yet: of tokens that print alike, those after the first go by their
// bytes, then by a number.
std::string FreeName(const ordered_json& taken, const std::string& token) {
  std::string name = NameOf(token);
  if (!taken.contains(name)) return name;
  name = BytesNameOf(token);
  for (int number = 2; taken.contains(name); ++number)
    name = BytesNameOf(token) + "#" + std::to_string(number);
  return name;
}

// The likeliest tokens by name. The token itself is always there, with its own name and value, also
// where it is none of them or another prints alike.
ordered_json RenderTop(const PieceToken& token) {
  if (!token.log_probability) return nullptr;
  const auto is_itself = [&token](const worker::protocol::TokenProbability& likely) {
    return likely.token == token.token &&
           std::abs(std::log(likely.probability) - *token.log_probability) < 1e-9;
  };
  const auto itself = std::ranges::find_if(token.top, is_itself);
  ordered_json top = json::object();
  if (!token.top.empty()) top[NameOf(token.token)] = *token.log_probability;
  for (auto likely = token.top.begin(); likely != token.top.end(); ++likely) {
    if (likely != itself) top[FreeName(top, likely->token)] = std::log(likely->probability);
  }
  return top;
}

ordered_json RenderTextLogprobs(const std::vector<PieceToken>& tokens) {
  ordered_json texts = json::array(), values = json::array(), tops = json::array(),
               offsets = json::array();
  for (const PieceToken& token : tokens) {
    texts.push_back(NameOf(token.token));
    values.push_back(token.log_probability ? ordered_json(*token.log_probability) : nullptr);
    tops.push_back(RenderTop(token));
    offsets.push_back(token.text_begin);
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace

const CompletionShape kTextShape = {.path = "/v1/completions",
                                    .id_prefix = "cmpl-",
                                    .object = "text_completion",
                                    .chunk_object = "text_completion",
                                    .prompt_field = "prompt",
                                    .read = ReadTextBody,
                                    .said = SaidText,
                                    .logprobs = RenderTextLogprobs};

}  // namespace emend::api::rest
