#include "worker/chat/value.h"

#include <algorithm>
#include <array>

namespace emend::worker::chat {

const Value* Dict::Find(const Value& key) const {
  const auto found =
      std::ranges::find_if(entries, [&](const Entry& entry) { return SameKey(entry.first, key); });
  return found == entries.end() ? nullptr : &found->second;
}

const Value* Dict::Find(std::string_view key) const {
  const auto found = std::ranges::find_if(entries, [&](const Entry& entry) {
    const std::string* const text = entry.first.text();
    return text != nullptr && *text == key;
  });
  return found == entries.end() ? nullptr : &found->second;
}

Value* Namespace::Find(std::string_view name) {
  const auto found =
      std::ranges::find_if(attributes, [&](const auto& each) { return each.first == name; });
  return found == attributes.end() ? nullptr : &found->second;
}

const std::string* Value::text() const {
  const auto* const text = As<TextPtr>();
  return text == nullptr ? nullptr : text->get();
}

const Sequence* Value::sequence() const {
  const auto* const sequence = As<std::shared_ptr<const Sequence>>();
  return sequence == nullptr ? nullptr : sequence->get();
}

const Dict* Value::dict() const {
  const auto* const dict = As<std::shared_ptr<const Dict>>();
  return dict == nullptr ? nullptr : dict->get();
}

Namespace* Value::name_space() const {
  const auto* const name_space = As<std::shared_ptr<Namespace>>();
  return name_space == nullptr ? nullptr : name_space->get();
}

std::optional<std::int64_t> Value::Integer() const {
  if (const auto* const integer = As<std::int64_t>()) return *integer;
  if (const bool* const flag = As<bool>()) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::Number() const {
  if (const auto* const number = As<double>()) return *number;
  const std::optional<std::int64_t> integer = Integer();
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

bool Value::IsTrue() const {
  if (IsUndefined() || IsNone()) return false;
  if (const std::optional<double> number = Number()) return *number != 0;
  if (text() != nullptr) return !text()->empty();
  if (dict() != nullptr) return !dict()->entries.empty();
  if (sequence() == nullptr) return true;
  return sequence()->kind == SequenceKind::kGenerator || !sequence()->items.empty();
}

int Value::depth() const {
  if (sequence() != nullptr) return sequence()->depth;
  return dict() != nullptr ? dict()->depth : 0;
}

std::string_view Value::KindName() const {
  static constexpr std::array<std::string_view, std::variant_size_v<Data>> kNames = {
      "an undefined value", "none",    "a boolean", "an integer",
      "a number",           "a text",  "a list",    "a mapping",
      "a namespace",        "a macro", "a function"};
  return kNames[data_.index()];
}

bool IsKey(const Value& value) {
  return value.IsNone() || value.Number().has_value() || value.text() != nullptr;
}

bool SameKey(const Value& left, const Value& right) {
  if (left.text() != nullptr && right.text() != nullptr) return *left.text() == *right.text();
  if (left.Integer() && right.Integer()) return *left.Integer() == *right.Integer();
  if (left.Number() && right.Number()) return *left.Number() == *right.Number();
  return left.IsNone() && right.IsNone();
}

}  // namespace emend::worker::chat
