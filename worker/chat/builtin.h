// What a template may call by name: filters, tests, methods and global functions. Each is a row of
// its table, which the parser holds calls against.
//
//   {"replace", "old new count?", Replace}
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "worker/chat/run.h"
#include "worker/chat/value.h"

namespace emend::worker::chat {

using Named = std::vector<std::pair<std::string, Value>>;

// A call with its arguments: what it is called on (nothing for a function), a value or nothing for
// each parameter, and what has another name, where the row takes that.
struct Call {
  Run& run;
  const Value& subject;
  std::span<const std::optional<Value>> arguments;
  std::span<const std::pair<std::string, Value>> named = {};

  bool Has(std::size_t i) const { return i < arguments.size() && arguments[i].has_value(); }
  const Value& Argument(std::size_t i) const { return *arguments[i]; }  // REQUIRES: Has(i)
  const Value* Find(std::string_view name) const;                       // of `named`
  bool IsTrue(std::size_t i) const { return Has(i) && Argument(i).IsTrue(); }
  // The argument, or `if_none` if it is left out or none. Fails for another kind.
  Result<std::int64_t> Integer(std::size_t i, std::int64_t if_none) const;
  Result<std::optional<std::string>> Text(std::size_t i) const;
};

struct Builtin {
  std::string_view name;
  // Names by position; with "?" it may be left out. "*": any number of them, with any name.
  std::string_view parameters;
  Result<Value> (*run)(const Call& call);

  bool TakesAny() const { return parameters == "*"; }
};

// Null if there is none. A method's subject is a text or a mapping.
const Builtin* FindFilter(std::string_view name);
const Builtin* FindTest(std::string_view name);
const Builtin* FindMethod(std::string_view name);
const Builtin* FindGlobal(std::string_view name);
// For messages: the names of a table, sorted.
enum class Table { kFilters, kTests, kMethods, kGlobals };
std::string NamesOf(Table table);

// Whether Python finds a method where a template asks `value` for an attribute.
bool HasMethod(const Value& value, std::string_view name);

// The parameters of a row, in order.
struct Parameter {
  std::string_view name;
  bool is_optional;
};
std::vector<Parameter> ParametersOf(const Builtin& row);

// A filter or test by a name that the template computes, on arguments by position.
Result<Value> CallByName(Run& run, Table table, const Value& name, const Value& subject,
                         std::span<const std::optional<Value>> arguments);

// The tables, each in a file of its own.
std::span<const Builtin> TextFilters();
std::span<const Builtin> ListFilters();
std::span<const Builtin> Tests();
std::span<const Builtin> Methods();
std::span<const Builtin> Globals();

}  // namespace emend::worker::chat
