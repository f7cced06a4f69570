#include "api/rest/openai.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "api/rest/fields.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

using coordinator::answers::CompletionPiece;
using nlohmann::json;
using nlohmann::ordered_json;
using worker::protocol::PieceToken;

constexpr std::int64_t kTokensMax = 65'536;
constexpr std::int64_t kLogprobsMax = 5;
constexpr std::size_t kStopsMax = 4;
constexpr std::size_t kStopBytesMax = 1024;

void ReadModel(Fields& fields, CompletionBody& completion) {
  completion.model = fields.Required("model");
  const std::size_t at = completion.model.find('@');
  completion.request.repo = RepoName(completion.model.substr(0, at));
  completion.request.revision = at == std::string::npos ? "main" : completion.model.substr(at + 1);
  if (completion.request.repo.value().empty() || completion.request.revision.empty())
    fields.Refuse("model", completion.model, "\"repo\" or \"repo@revision\"");
}

void ReadSampling(Fields& fields, CompletionBody& completion) {
  worker::protocol::Complete& text = completion.request.text;
  text.tokens_max = static_cast<std::int32_t>(fields.Whole("max_tokens", 16, {1, kTokensMax}));
  text.temperature = fields.Number("temperature", 1, 0, 2);
  text.top_p = fields.Number("top_p", 1, 0, 1);
  if (text.top_p == 0) fields.Refuse("top_p", text.top_p, "a number above 0");
  text.top_k =
      static_cast<std::int32_t>(fields.Whole("top_k", 0, {0, kTokensMax, /*is_off_below=*/true}));
  // An empty list, and no log probabilities: what clients send for "off".
  const json* const stop = fields.Find("stop");
  if (stop == nullptr || *stop != json::array()) text.stop = fields.Texts("stop", kStopsMax);
  for (const std::string& each : text.stop) {
    if (each.empty() || each.size() > kStopBytesMax)
      fields.Refuse("stop", each, "texts of 1 to " + std::to_string(kStopBytesMax) + " bytes");
  }
  const json* const logprobs = fields.Find("logprobs");
  text.top = logprobs != nullptr && *logprobs == json(false)
                 ? -1
                 : static_cast<std::int32_t>(
                       fields.Whole("logprobs", -1, {0, kLogprobsMax, /*is_off_below=*/true}));
  const std::int64_t seed =
      fields.Whole("seed", -1, {0, std::int64_t{1} << 53, /*is_off_below=*/true});
  completion.has_seed = seed >= 0;
  text.seed = completion.has_seed ? static_cast<std::uint64_t>(seed) : 0;
}

void ReadStreaming(Fields& fields, CompletionBody& completion) {
  completion.stream = fields.Flag("stream");
  const json* const options = fields.Find("stream_options");
  if (options == nullptr) return;
  bool fits = options->is_object();
  if (fits) {
    for (const auto& [name, value] : options->items()) {
      // What hides the length of chunks makes no difference to what they say.
      fits =
          fits && value.is_boolean() && (name == "include_usage" || name == "include_obfuscation");
    }
  }
  if (!fits) fields.Refuse("stream_options", *options, "an object with include_usage");
  completion.include_usage = fits && options->value("include_usage", false);
}

// The bytes of a token as a name: "bytes:\\xe4".
std::string BytesNameOf(const std::string& token) {
  std::string name = "bytes:";
  for (const char byte : token) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    name += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
  }
  return name;
}

// Its text, or its bytes where they are no text.
std::string NameOf(const std::string& token) {
  return FirstInvalidUtf8(token) ? BytesNameOf(token) : token;
}

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
  const auto is_itself = [&token](const worker::protocol::TokenProbability& likely) {
    return likely.token == token.token &&
           std::abs(std::log(likely.probability) - token.log_probability) < 1e-9;
  };
  const auto itself = std::ranges::find_if(token.top, is_itself);
  ordered_json top = json::object();
  if (!token.top.empty()) top[NameOf(token.token)] = token.log_probability;
  for (auto likely = token.top.begin(); likely != token.top.end(); ++likely) {
    if (likely != itself) top[FreeName(top, likely->token)] = std::log(likely->probability);
  }
  return top;
}

ordered_json RenderLogprobs(const std::vector<PieceToken>& tokens) {
  ordered_json texts = json::array(), values = json::array(), tops = json::array(),
               offsets = json::array();
  for (const PieceToken& token : tokens) {
    texts.push_back(NameOf(token.token));
    values.push_back(token.log_probability);
    tops.push_back(RenderTop(token));
    offsets.push_back(token.text_begin);
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

ordered_json RenderChoice(std::size_t index, const CompletionChoice& choice, bool with_logprobs) {
  ordered_json rendered{
      {"index", index}, {"text", choice.text}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
  if (with_logprobs) rendered["logprobs"] = RenderLogprobs(choice.tokens);
  if (choice.end) rendered["finish_reason"] = choice.end->is_cut ? "length" : "stop";
  return rendered;
}

ordered_json RenderHead(const CompletionHead& head) {
  return {
      {"id", head.id},       {"object", "text_completion"},       {"created", head.created_seconds},
      {"model", head.model}, {"system_fingerprint", head.commit}, {"choices", json::array()}};
}

ordered_json RenderUsage(std::uint64_t prompt_tokens, std::uint64_t completion_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

}  // namespace

Result<CompletionBody> ReadCompletionBody(const json& body) {
  Fields fields(body);
  CompletionBody completion;
  ReadModel(fields, completion);
  completion.request.prompts = fields.Texts("prompt", kTextsPerRequestMax);
  if (completion.request.prompts.empty())
    fields.Refuse("prompt", nullptr, "the text to go on from");
  completion.request.count =
      static_cast<std::int32_t>(fields.Whole("n", 1, {1, kTextsPerRequestMax}));
  if (completion.request.prompts.size() * static_cast<std::size_t>(completion.request.count) >
      kTextsPerRequestMax) {
    fields.Refuse("n", completion.request.count,
                  "at most " + std::to_string(kTextsPerRequestMax) +
                      " texts in one request, prompts times n");
  }
  ReadSampling(fields, completion);
  ReadStreaming(fields, completion);
  static_cast<void>(fields.Find("user"));
  fields.Neutral("best_of", completion.request.count);
  fields.Neutral("echo", false);
  fields.Neutral("suffix", "");
  fields.Neutral("presence_penalty", 0);
  fields.Neutral("frequency_penalty", 0);
  fields.Neutral("logit_bias", json::object());
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return completion;
}

ordered_json RenderCompletion(const CompletionHead& head,
                              const std::vector<CompletionChoice>& choices, std::size_t per_prompt,
                              bool with_logprobs) {
  ordered_json rendered = RenderHead(head);
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  for (std::size_t index = 0; index < choices.size(); ++index) {
    rendered["choices"].push_back(RenderChoice(index, choices[index], with_logprobs));
    if (!choices[index].end) continue;
    if (index % per_prompt == 0) prompt_tokens += choices[index].end->prompt_tokens;
    completion_tokens += choices[index].end->completion_tokens;
  }
  rendered["usage"] = RenderUsage(prompt_tokens, completion_tokens);
  return rendered;
}

ordered_json RenderChunk(const CompletionHead& head, const CompletionPiece& piece,
                         const ChunkOptions& options) {
  ordered_json rendered = RenderHead(head);
  rendered["choices"].push_back(
      RenderChoice(piece.index, {piece.text, piece.tokens, piece.end}, options.with_logprobs));
  if (options.with_usage) rendered["usage"] = nullptr;
  return rendered;
}

ordered_json RenderUsageChunk(const CompletionHead& head, std::uint64_t prompt_tokens,
                              std::uint64_t completion_tokens) {
  ordered_json rendered = RenderHead(head);
  rendered["usage"] = RenderUsage(prompt_tokens, completion_tokens);
  return rendered;
}

}  // namespace emend::api::rest
