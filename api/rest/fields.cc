#include "api/rest/fields.h"

#include <cmath>
#include <optional>

#include "storage/base/utf8.h"
#include "storage/json/reader.h"

namespace emend::api::rest {
namespace {

using nlohmann::json;

// Beyond 2^53 a float is no longer the number that was written.
std::optional<std::int64_t> WholeOf(const json& value) {
  constexpr double kExact = 9007199254740992.0;
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const auto number = value.get<double>();
  if (std::trunc(number) != number || std::abs(number) > kExact) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string Shown(const json& value) {
  return Shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

const json* Fields::Find(const char* name) {
  known_.insert(name);
  const auto found = body_.find(name);
  return found == body_.end() || found->is_null() ? nullptr : &*found;
}

void Fields::Fail(const std::string& name, const std::string& what) {
  if (status_.ok()) status_ = InvalidArgument("at /" + place_ + name + ": " + what);
}

void Fields::Refuse(const char* name, const json& value, const std::string& expected) {
  Fail(name, "found " + Shown(value) + ", expected " + expected);
}

std::int64_t Fields::Whole(const char* name, std::int64_t fallback, Bounds bounds) {
  const json* const value = Find(name);
  if (value == nullptr) return fallback;
  const std::optional<std::int64_t> number = WholeOf(*value);
  if (number && *number >= bounds.min && *number <= bounds.max) return *number;
  if (bounds.is_off_below && number == -1) return fallback;
  Refuse(name, *value,
         "a whole number from " + std::to_string(bounds.min) + " to " + std::to_string(bounds.max) +
             (bounds.is_off_below ? ", or -1 for off" : ""));
  return fallback;
}

double Fields::Number(const char* name, double fallback, double min, double max) {
  const json* const value = Find(name);
  if (value == nullptr) return fallback;
  if (value->is_number() && value->get<double>() >= min && value->get<double>() <= max)
    return value->get<double>();
  Refuse(name, *value, "a number from " + json(min).dump() + " to " + json(max).dump());
  return fallback;
}

bool Fields::Flag(const char* name) {
  const json* const value = Find(name);
  if (value != nullptr && !value->is_boolean()) Refuse(name, *value, "true or false");
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::string Fields::Text(const char* name, const char* fallback) {
  const json* const value = Find(name);
  if (value == nullptr) return fallback;
  const std::string fault = value->is_string()
                                ? storage::json::TextFaultOf(value->get_ref<const std::string&>())
                                : "found " + Shown(*value) + ", expected a text";
  if (fault.empty()) return value->get<std::string>();
  Fail(name, fault);
  return fallback;
}

std::string Fields::Required(const char* name) {
  const json* const value = Find(name);
  if (value == nullptr) {
    Fail(name, "this field is missing");
    return "";
  }
  if (value->is_string() && !value->get_ref<const std::string&>().empty())
    return value->get<std::string>();
  Refuse(name, *value, "a text that is not empty");
  return "";
}

std::vector<std::string> Fields::Texts(const char* name, std::size_t count_max) {
  const json* const value = Find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> texts;
  const bool fits = value->is_array() && !value->empty() && value->size() <= count_max;
  for (const json& each : fits ? *value : json::array()) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  if (!fits || texts.size() != value->size()) {
    Refuse(name, *value, "a text or a list of 1 to " + std::to_string(count_max) + " texts");
  }
  return texts;
}

void Fields::Neutral(const char* name, const json& neutral) {
  const json* const value = Find(name);
  if (value != nullptr && *value != neutral)
    Refuse(name, *value, "nothing but " + Shown(neutral) + ", which is all that is served here");
}

void Fields::RefuseUnknown() {
  std::string known;
  for (const std::string& name : known_) known += (known.empty() ? "" : ", ") + name;
  for (const auto& [name, value] : body_.items()) {
    if (!known_.contains(name))
      Fail(Shortened(name),
           "this field is unknown here; known are " + (known.empty() ? "none" : known));
  }
}

}  // namespace emend::api::rest
