#include "worker/families/config_json.h"

#include <algorithm>
#include <limits>
#include <map>

namespace emend::worker::families {
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

Status ConfigJson::BadValue(const std::string& key, const std::string& expected) const {
  const auto found = object_.find(key);
  const std::string value = found == object_.end() ? "no such key" : Shown(*found);
  return Bad("\"" + key + "\": found " + value + ", expected " + expected);
}

Status ConfigJson::Bad(const std::string& message) const {
  return {StatusCode::kInvalidArgument, "bad_config", "reading " + name_ + ": " + message};
}

Status ConfigJson::Unsupported(const std::string& key, const std::string& computed) const {
  return {StatusCode::kUnsupported, "unsupported_config",
          "reading " + name_ + ": \"" + key + "\": found " + Shown(object_.at(key)) +
              ", and this build computes only " + computed};
}

Result<std::int64_t> ConfigJson::Integer(const std::string& key,
                                         std::optional<std::int64_t> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  if (value == nullptr || !value->is_number_integer() || *value < 1 || *value > kMax)
    return BadValue(key, "an integer from 1 to 2147483647");
  return value->get<std::int64_t>();
}

Result<double> ConfigJson::PositiveNumber(const std::string& key, std::optional<double> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_number() || !(value->get<double>() > 0))
    return BadValue(key, "a number above 0");
  return value->get<double>();
}

Result<bool> ConfigJson::Flag(const std::string& key, bool fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return BadValue(key, "true or false");
  return value->get<bool>();
}

Result<std::string> ConfigJson::Text(const std::string& key, std::optional<std::string> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_string()) return BadValue(key, "a string");
  return value->get<std::string>();
}

Result<std::vector<std::int32_t>> ConfigJson::Tokens(const std::string& key) {
  const nlohmann::json* const value = Find(key);
  std::vector<std::int32_t> tokens;
  if (value == nullptr) return tokens;
  const nlohmann::json list = value->is_array() ? *value : nlohmann::json::array({*value});
  for (const nlohmann::json& token : list) {
    if (!token.is_number_integer() || token < 0 || token > std::numeric_limits<std::int32_t>::max())
      return BadValue(key, "a token id, or a list of them");
    tokens.push_back(token.get<std::int32_t>());
  }
  return tokens;
}

Result<std::vector<double>> ConfigJson::Numbers(const std::string& key) {
  const nlohmann::json* const value = Find(key);
  std::vector<double> numbers;
  if (value == nullptr) return numbers;
  const bool is_list = value->is_array() && std::ranges::all_of(*value, &nlohmann::json::is_number);
  if (!is_list) return BadValue(key, "a list of numbers");
  for (const nlohmann::json& each : *value) numbers.push_back(each.get<double>());
  return numbers;
}

Result<std::vector<std::string>> ConfigJson::Texts(const std::string& key) {
  const nlohmann::json* const value = Find(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  const bool is_list = value->is_array() && std::ranges::all_of(*value, &nlohmann::json::is_string);
  if (!is_list) return BadValue(key, "a list of strings");
  for (const nlohmann::json& each : *value) texts.push_back(each.get<std::string>());
  return texts;
}

bool ConfigJson::IsNull(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && found->is_null();
}

Result<Activation> ConfigJson::ActivationNamed(const std::string& key,
                                               const std::string& fallback) {
  static const std::map<std::string, Activation> kKnown = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh},
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"relu", Activation::kRelu}};
  EMEND_ASSIGN_OR_RETURN(const std::string name, Text(key, fallback));
  const auto found = kKnown.find(name);
  if (found != kKnown.end()) return found->second;
  std::string known;
  for (const auto& [each, activation] : kKnown) known += (known.empty() ? "" : ", ") + each;
  return Unsupported(key, known);
}

Result<std::optional<ConfigJson>> ConfigJson::Object(const std::string& key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return std::optional<ConfigJson>();
  if (!value->is_object()) return BadValue(key, "an object");
  ConfigJson inner;
  inner.object_ = *value;
  inner.name_ = name_ + ", " + key;
  return std::optional<ConfigJson>(std::move(inner));
}

void ConfigJson::Harmless(std::initializer_list<const char*> keys) {
  seen_.insert(keys.begin(), keys.end());
}

Status ConfigJson::Neutral(std::initializer_list<NeutralKey> keys) {
  for (const auto& [key, neutral] : keys) {
    const nlohmann::json* const value = seen_.contains(key) ? nullptr : Find(key);
    if (value != nullptr && *value != nlohmann::json::parse(neutral))
      return Unsupported(key, neutral);
  }
  return OkStatus();
}

Status ConfigJson::NeutralElements(const std::string& key, const std::string& only) {
  const nlohmann::json* const value = seen_.contains(key) ? nullptr : Find(key);
  if (value == nullptr) return OkStatus();
  if (!value->is_array()) return BadValue(key, "a list");
  const bool is_neutral =
      std::ranges::all_of(*value, [&](const nlohmann::json& each) { return each == only; });
  return is_neutral ? OkStatus() : Unsupported(key, "elements \"" + only + "\"");
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

}  // namespace emend::worker::families
