#include "storage/json/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "storage/base/check.h"
#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "storage/json/node.h"

namespace emend::storage::json {
namespace {

using List = std::vector<Node>;
using Object = std::vector<Member>;

template <typename T>
const T& Get(const Node* node, const char* what) {
  const T* const content = node == nullptr ? nullptr : std::get_if<T>(&node->content);
  EMEND_CHECK(content != nullptr, std::string("a JSON value was read as ") + what);
  return *content;
}

// Whole numbers up to here are exact in a double.
constexpr double kExactMax = 9'007'199'254'740'992.0;

template <typename Integer>
std::optional<Integer> WholeOf(const Node* node) {
  const Number* const number = node == nullptr ? nullptr : std::get_if<Number>(&node->content);
  if (number == nullptr) return std::nullopt;
  Integer whole = 0;
  const char* const end = number->text.data() + number->text.size();
  const auto [stop, error] = std::from_chars(number->text.data(), end, whole);
  if (error == std::errc() && stop == end) return whole;
  const bool exact = number->value == std::floor(number->value) &&
                     std::abs(number->value) <= kExactMax &&
                     (number->value >= 0 || std::is_signed_v<Integer>);
  if (!exact) return std::nullopt;
  return static_cast<Integer>(number->value);
}

}  // namespace

Kind Value::kind() const {
  return node_ == nullptr ? Kind::kAbsent : static_cast<Kind>(node_->content.index() + 1);
}
bool Value::flag() const { return Get<bool>(node_, "a flag"); }
double Value::number() const { return Get<Number>(node_, "a number").value; }
const std::string& Value::text() const { return Get<std::string>(node_, "a text"); }
const std::string& Value::digits() const { return Get<Number>(node_, "a number").text; }
std::optional<std::int64_t> Value::Whole() const { return WholeOf<std::int64_t>(node_); }
std::optional<std::uint64_t> Value::Unsigned() const { return WholeOf<std::uint64_t>(node_); }

std::size_t Value::size() const {
  if (is(Kind::kList)) return std::get<List>(node_->content).size();
  return is(Kind::kObject) ? std::get<Object>(node_->content).size() : 0;
}

Value Value::operator[](std::size_t index) const {
  if (is(Kind::kObject)) return Value(&std::get<Object>(node_->content).at(index).value);
  return Value(&Get<List>(node_, "a list").at(index));
}

std::vector<NamedValue> Value::Members() const {
  std::vector<NamedValue> members;
  if (!is(Kind::kObject)) return members;
  for (const Member& member : std::get<Object>(node_->content))
    members.push_back({member.name, Value(&member.value)});
  return members;
}

Value Value::Find(std::string_view name) const {
  if (!is(Kind::kObject)) return {};
  const Object& members = std::get<Object>(node_->content);
  const auto found = std::ranges::lower_bound(members, name, {}, &Member::name);
  return found == members.end() || found->name != name ? Value() : Value(&found->value);
}

std::string Value::Found() const {
  switch (kind()) {
    case Kind::kAbsent: return "nothing";
    case Kind::kNull: return "null";
    case Kind::kFlag: return flag() ? "true" : "false";
    case Kind::kNumber: return Shortened(digits());
    case Kind::kText: return JsonQuote(Shortened(text()));
    case Kind::kList: return "array";
    case Kind::kObject: return "object";
  }
  return "";
}

}  // namespace emend::storage::json
