// A value inside a Document: what it is, and what lies in it. A view: it borrows the document and
// must not outlive it. Thread-safety: const methods are safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emend::storage::json {

struct Node;
struct NamedValue;

enum class Kind : std::uint8_t { kAbsent, kNull, kFlag, kNumber, kText, kList, kObject };

class Value {
 public:
  Value() = default;  // absent
  explicit Value(const Node* node) : node_(node) {}

  Kind kind() const;
  bool is(Kind kind) const { return this->kind() == kind; }
  // Neither there, nor null.
  bool IsNothing() const { return kind() <= Kind::kNull; }

  // REQUIRES: the kind.
  bool flag() const;
  double number() const;
  const std::string& text() const;
  // A number as it was written. REQUIRES: a number.
  const std::string& digits() const;
  // A whole number, also one that was written as 4.0 or 1e3; nothing for any other value.
  std::optional<std::int64_t> Whole() const;
  std::optional<std::uint64_t> Unsigned() const;

  // Items of a list, members of an object; 0 for any other kind.
  std::size_t size() const;
  Value operator[](std::size_t index) const;  // REQUIRES: a list or an object, index < size()
  // The members of an object, sorted by name; none for any other kind.
  std::vector<NamedValue> Members() const;
  // Absent if there is none, or if this is no object.
  Value Find(std::string_view name) const;

  // "nothing", "array", "object", or the value itself, shortened: what a message says of it.
  std::string Found() const;

 private:
  const Node* node_ = nullptr;
};

struct NamedValue {
  const std::string& name;
  Value value;
};

}  // namespace emend::storage::json
