#include "api/rest/openai.h"

#include <cmath>
#include <set>
#include <string_view>

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

std::string Shown(const json& value) {
  return Shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

// Reads fields by name; the first failure stays in status().
class Fields {
 public:
  explicit Fields(const json& body) : body_(body) {}
  const Status& status() const { return status_; }

  // Null if it is absent or null.
  const json* Find(const char* name) {
    known_.insert(name);
    const auto found = body_.find(name);
    return found == body_.end() || found->is_null() ? nullptr : &*found;
  }
  void Refuse(const char* name, const json& value, const std::string& expected) {
    if (status_.ok())
      status_ = InvalidArgument("at /" + std::string(name) + ": found " + Shown(value) +
                                ", expected " + expected);
  }
  std::int64_t Whole(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max) {
    const json* const value = Find(name);
    if (value == nullptr) return fallback;
    if (value->is_number_integer() && *value >= min && *value <= max)
      return value->get<std::int64_t>();
    Refuse(name, *value,
           "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return fallback;
  }
  double Number(const char* name, double fallback, double min, double max) {
    const json* const value = Find(name);
    if (value == nullptr) return fallback;
    if (value->is_number() && value->get<double>() >= min && value->get<double>() <= max)
      return value->get<double>();
    Refuse(name, *value,
           "a number from " + ordered_json(min).dump() + " to " + ordered_json(max).dump());
    return fallback;
  }
  bool Flag(const char* name) {
    const json* const value = Find(name);
    if (value != nullptr && !value->is_boolean()) Refuse(name, *value, "true or false");
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  // A text, or a list of them.
  std::vector<std::string> Texts(const char* name, std::size_t count_max) {
    const json* const value = Find(name);
    if (value == nullptr) return {};
    if (value->is_string()) return {value->get<std::string>()};
    std::vector<std::string> texts;
    const bool fits = value->is_array() && !value->empty() && value->size() <= count_max;
    for (const json& each : fits ? *value : json::array()) {
      if (each.is_string()) texts.push_back(each.get<std::string>());
    }
    if (!fits || texts.size() != value->size())
      Refuse(name, *value,
             "a text or a list of 1 to " + std::to_string(count_max) +
                 " texts (tokens are not taken)");
    return texts;
  }
  // A field that must keep its neutral value.
  void Neutral(const char* name, const json& neutral) {
    const json* const value = Find(name);
    if (value != nullptr && *value != neutral)
      Refuse(name, *value, "nothing but " + Shown(neutral) + ", which is all that is served here");
  }
  void RefuseUnknown() {
    for (const auto& [name, value] : body_.items()) {
      if (!known_.contains(name) && status_.ok())
        status_ = InvalidArgument(
            "at /" + name + ": this field is unknown here; /openapi.json lists those that are");
    }
  }

 private:
  const json& body_;
  std::set<std::string> known_;
  Status status_;
};

void ReadModel(Fields& fields, CompletionBody& completion) {
  const std::vector<std::string> model = fields.Texts("model", 1);
  completion.model = model.empty() ? "" : model[0];
  const std::size_t at = completion.model.find('@');
  completion.request.repo = RepoName(completion.model.substr(0, at));
  completion.request.revision = at == std::string::npos ? "main" : completion.model.substr(at + 1);
  if (completion.request.repo.value().empty() || completion.request.revision.empty())
    fields.Refuse("model", completion.model, "\"repo\" or \"repo@revision\"");
}

void ReadSampling(Fields& fields, CompletionBody& completion) {
  worker::protocol::Complete& text = completion.request.text;
  text.tokens_max = static_cast<std::int32_t>(fields.Whole("max_tokens", 16, 1, kTokensMax));
  text.temperature = fields.Number("temperature", 1, 0, 2);
  text.top_p = fields.Number("top_p", 1, 0, 1);
  if (text.top_p == 0) fields.Refuse("top_p", text.top_p, "a number above 0");
  text.top_k = static_cast<std::int32_t>(fields.Whole("top_k", 0, 0, kTokensMax));
  text.stop = fields.Texts("stop", kStopsMax);
  for (const std::string& stop : text.stop) {
    if (stop.empty()) fields.Refuse("stop", stop, "texts that are not empty");
  }
  text.top = static_cast<std::int32_t>(fields.Whole("logprobs", -1, 0, kLogprobsMax));
  completion.has_seed = fields.Find("seed") != nullptr;
  text.seed = static_cast<std::uint64_t>(fields.Whole("seed", 0, 0, std::int64_t{1} << 53));
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

// A token that is part of a character has a name that no other has: "bytes:\\xe4".
std::string NameOf(const std::string& token) {
  if (!FirstInvalidUtf8(token)) return token;
  std::string name = "bytes:";
  for (const char byte : token) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    name += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
  }
  return name;
}

ordered_json RenderLogprobs(const std::vector<PieceToken>& tokens) {
  ordered_json texts = json::array(), values = json::array(), tops = json::array(),
               offsets = json::array();
  for (const PieceToken& token : tokens) {
    ordered_json top = json::object();
    for (const auto& likely : token.top) top[NameOf(likely.token)] = std::log(likely.probability);
    texts.push_back(NameOf(token.token));
    values.push_back(token.log_probability);
    tops.push_back(std::move(top));
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
      static_cast<std::int32_t>(fields.Whole("n", 1, 1, kTextsPerRequestMax));
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
