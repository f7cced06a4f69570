#include "api/rest/openai.h"

#include "api/rest/openai_fields.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

using coordinator::answers::CompletionPiece;
using nlohmann::json;
using nlohmann::ordered_json;

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

void ReadCount(Fields& fields, coordinator::answers::CompletionRequest& request) {
  request.count = static_cast<std::int32_t>(fields.Whole("n", 1, {1, kTextsPerRequestMax}));
  if (request.prompts.size() * static_cast<std::size_t>(request.count) > kTextsPerRequestMax) {
    fields.Refuse("n", request.count,
                  "at most " + std::to_string(kTextsPerRequestMax) +
                      " texts in one request, prompts times n");
  }
}

void ReadSampling(Fields& fields, CompletionBody& completion) {
  worker::protocol::Complete& text = completion.request.text;
  text.temperature = fields.Number("temperature", 1, 0, 2);
  text.top_p = fields.Number("top_p", 1, 0, 1);
  if (text.top_p == 0) fields.Refuse("top_p", text.top_p, "a number above 0");
  text.top_k =
      static_cast<std::int32_t>(fields.Whole("top_k", 0, {0, kTokensMax, /*is_off_below=*/true}));
  // An empty list: what clients send for "off".
  const json* const stop = fields.Find("stop");
  if (stop == nullptr || *stop != json::array()) text.stop = fields.Texts("stop", kStopsMax);
  for (const std::string& each : text.stop) {
    if (each.empty() || each.size() > kStopBytesMax)
      fields.Refuse("stop", each, "texts of 1 to " + std::to_string(kStopBytesMax) + " bytes");
  }
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

ordered_json RenderChoice(const CompletionShape& shape, std::size_t index,
                          const CompletionChoice& choice, Part part, bool with_logprobs) {
  ordered_json rendered{{"index", index}};
  rendered.update(shape.said(choice.text, part));
  rendered["logprobs"] = nullptr;
  rendered["finish_reason"] = nullptr;
  if (with_logprobs) rendered["logprobs"] = shape.logprobs(choice.tokens);
  if (choice.end) rendered["finish_reason"] = choice.end->is_cut ? "length" : "stop";
  return rendered;
}

ordered_json RenderHead(std::string_view object, const CompletionHead& head) {
  return {{"id", head.id},
          {"object", object},
          {"created", head.created_seconds},
          {"model", head.model},
          {"system_fingerprint", head.commit},
          {"choices", json::array()}};
}

ordered_json RenderUsage(std::uint64_t prompt_tokens, std::uint64_t completion_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

}  // namespace

void ReadCommonFields(Fields& fields, CompletionBody& completion) {
  ReadModel(fields, completion);
  ReadCount(fields, completion.request);
  ReadSampling(fields, completion);
  ReadStreaming(fields, completion);
  static_cast<void>(fields.Find("user"));
  fields.Neutral("presence_penalty", 0);
  fields.Neutral("frequency_penalty", 0);
  fields.Neutral("logit_bias", json::object());
}

std::string BytesNameOf(const std::string& token) {
  std::string name = "bytes:";
  for (const char byte : token) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    name += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
  }
  return name;
}

std::string NameOf(const std::string& token) {
  return FirstInvalidUtf8(token) ? BytesNameOf(token) : token;
}

ordered_json RenderCompletion(const CompletionShape& shape, const CompletionHead& head,
                              const std::vector<CompletionChoice>& choices, std::size_t per_prompt,
                              bool with_logprobs) {
  ordered_json rendered = RenderHead(shape.object, head);
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  for (std::size_t index = 0; index < choices.size(); ++index) {
    rendered["choices"].push_back(
        RenderChoice(shape, index, choices[index], Part::kWhole, with_logprobs));
    if (!choices[index].end) continue;
    if (index % per_prompt == 0) prompt_tokens += choices[index].end->prompt_tokens;
    completion_tokens += choices[index].end->completion_tokens;
  }
  rendered["usage"] = RenderUsage(prompt_tokens, completion_tokens);
  return rendered;
}

ordered_json RenderChunk(const CompletionShape& shape, const CompletionHead& head,
                         const CompletionPiece& piece, const ChunkOptions& options) {
  ordered_json rendered = RenderHead(shape.chunk_object, head);
  rendered["choices"].push_back(RenderChoice(shape, piece.index,
                                             {piece.text, piece.tokens, piece.end}, options.part,
                                             options.with_logprobs));
  if (options.with_usage) rendered["usage"] = nullptr;
  return rendered;
}

ordered_json RenderUsageChunk(const CompletionShape& shape, const CompletionHead& head,
                              std::uint64_t prompt_tokens, std::uint64_t completion_tokens) {
  ordered_json rendered = RenderHead(shape.chunk_object, head);
  rendered["usage"] = RenderUsage(prompt_tokens, completion_tokens);
  return rendered;
}

}  // namespace emend::api::rest
