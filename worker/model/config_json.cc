#include "worker/model/config_json.h"

#include <limits>

namespace emend::worker::model {
namespace {

constexpr std::size_t kShownBytesMax = 60;

std::string Shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "...";
  return text;
}

}  // namespace

Result<ConfigJson> ConfigJson::Parse(std::string_view text, std::string name) {
  ConfigJson config;
  config.name_ = std::move(name);
  config.object_ = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (config.object_.is_discarded())
    return Status(StatusCode::kInvalidArgument, "bad_config",
                  "reading " + config.name_ + ": it is not JSON");
  if (!config.object_.is_object())
    return Status(StatusCode::kInvalidArgument, "bad_config",
                  "reading " + config.name_ + ": expected a JSON object");
  return config;
}

const nlohmann::json* ConfigJson::Find(const std::string& key) {
  seen_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Status ConfigJson::Bad(const std::string& key, const std::string& expected) const {
  const auto found = object_.find(key);
  const std::string value = found == object_.end() ? "no such key" : Shown(*found);
  return {StatusCode::kInvalidArgument, "bad_config",
          "reading " + name_ + ": \"" + key + "\": found " + value + ", expected " + expected};
}

Result<std::int64_t> ConfigJson::Integer(const std::string& key,
                                         std::optional<std::int64_t> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  if (value == nullptr || !value->is_number_integer() || *value < 1 || *value > kMax)
    return Bad(key, "an integer from 1 to 2147483647");
  return value->get<std::int64_t>();
}

Result<double> ConfigJson::PositiveNumber(const std::string& key, std::optional<double> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_number() || !(value->get<double>() > 0))
    return Bad(key, "a number above 0");
  return value->get<double>();
}

Result<bool> ConfigJson::Flag(const std::string& key, bool fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return Bad(key, "true or false");
  return value->get<bool>();
}

Result<std::string> ConfigJson::Text(const std::string& key, std::optional<std::string> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_string()) return Bad(key, "a string");
  return value->get<std::string>();
}

Result<std::int32_t> ConfigJson::Token(const std::string& key) {
  const nlohmann::json* value = Find(key);
  if (value != nullptr && value->is_array() && !value->empty()) value = &value->front();
  if (value == nullptr) return -1;
  if (!value->is_number_integer() || *value < 0 ||
      *value > std::numeric_limits<std::int32_t>::max())
    return Bad(key, "a token id, or a list of them");
  return value->get<std::int32_t>();
}

Result<std::optional<ConfigJson>> ConfigJson::Object(const std::string& key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return std::optional<ConfigJson>();
  if (!value->is_object()) return Bad(key, "an object");
  ConfigJson inner;
  inner.object_ = *value;
  inner.name_ = name_ + ", " + key;
  return std::optional<ConfigJson>(std::move(inner));
}

Status ConfigJson::RequireFlag(const std::string& key, bool only) {
  EMEND_ASSIGN_OR_RETURN(const bool value, Flag(key, only));
  if (value == only) return OkStatus();
  return {StatusCode::kUnsupported, "unsupported_config",
          "reading " + name_ + ": \"" + key + "\": found " + (value ? "true" : "false") +
              ", and this build computes only " + (only ? "true" : "false")};
}

void ConfigJson::Harmless(std::initializer_list<const char*> keys) {
  seen_.insert(keys.begin(), keys.end());
}

void ConfigJson::HarmlessEverywhere() {
  Harmless({"_name_or_path",
            "architectures",
            "attn_implementation",
            "auto_map",
            "chunk_size_feed_forward",
            "do_sample",
            "dtype",
            "finetuning_task",
            "gradient_checkpointing",
            "id2label",
            "initializer_range",
            "label2id",
            "length_penalty",
            "license",
            "max_length",
            "min_length",
            "model_type",
            "no_repeat_ngram_size",
            "num_beams",
            "output_attentions",
            "output_hidden_states",
            "output_past",
            "pad_token_id",
            "problem_type",
            "return_dict",
            "sep_token_id",
            "task_specific_params",
            "temperature",
            "tokenizer_class",
            "top_k",
            "top_p",
            "torch_dtype",
            "torchscript",
            "transformers_version",
            "use_bfloat16",
            "use_cache"});
}

Status ConfigJson::RefuseUnread() const {
  std::string unread;
  for (const auto& [key, value] : object_.items()) {
    if (!value.is_null() && !seen_.contains(key))
      unread += (unread.empty() ? "\"" : ", \"") + key + "\"";
  }
  if (unread.empty()) return OkStatus();
  return {StatusCode::kUnsupported, "unsupported_config",
          "reading " + name_ + ": unknown keys " + unread +
              "; a key that could change what the model computes is never passed over"};
}

}  // namespace emend::worker::model
