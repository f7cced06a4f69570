// Values of a template: those of Python that Jinja works on. Immutable but for a namespace's
// attributes and how far a generator was read. Values that hold values are made by Run alone, which
// bounds how deep they nest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace emend::worker::chat {

class Value;
struct Builtin;
struct MacroStatement;
using Values = std::vector<Value>;
using TextPtr = std::shared_ptr<const std::string>;

struct UndefinedValue {
  std::string name;  // of what was looked for
};
struct NoneValue {};

enum class SequenceKind {
  kList,
  kTuple,
  kGenerator,  // what filters like map give: true, without a length, read once
  kView,       // items(), keys() and values() of a mapping: without indices
};

struct Sequence {
  SequenceKind kind;
  Values items;
  int depth;                           // of nesting, 1 for one of plain values
  mutable std::size_t read_count = 0;  // of a generator
};

using Entry = std::pair<Value, Value>;
struct Dict {
  std::vector<Entry> entries;  // in order; keys differ
  int depth;

  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;

  Value* Find(std::string_view name);
};

class Value {
 public:
  using Data = std::variant<UndefinedValue, NoneValue, bool, std::int64_t, double, TextPtr,
                            std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                            std::shared_ptr<Namespace>, const MacroStatement*, const Builtin*>;

  Value() = default;  // undefined
  template <typename T>
  static Value Of(T data) {
    return Value(Data(std::in_place_type<T>, std::move(data)));
  }
  static Value Undefined(std::string name) { return Of(UndefinedValue{std::move(name)}); }
  static Value None() { return Of(NoneValue()); }
  static Value Text(std::string text) {
    return Of<TextPtr>(std::make_shared<const std::string>(std::move(text)));
  }

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data_);
  }
  bool IsUndefined() const { return As<UndefinedValue>() != nullptr; }
  bool IsNone() const { return As<NoneValue>() != nullptr; }
  // Null where the value is of another kind.
  const std::string* text() const;
  const Sequence* sequence() const;
  const Dict* dict() const;
  Namespace* name_space() const;
  // True is 1 and False is 0, as in Python.
  std::optional<std::int64_t> Integer() const;
  std::optional<double> Number() const;

  bool IsTrue() const;
  // How deep values nest in it: 0 for a plain one.
  int depth() const;
  // For messages: "a text", "a list".
  std::string_view KindName() const;

 private:
  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

// Whether two keys of a mapping are one. REQUIRES: IsKey of both.
bool SameKey(const Value& left, const Value& right);
bool IsKey(const Value& value);

}  // namespace emend::worker::chat
