// What Python's operators do with values.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/status.h"
#include "worker/chat/run.h"
#include "worker/chat/value.h"

namespace emend::worker::chat {

// One row each: + - * / // % ** ~. Integers are 64 bits wide; a result beyond them is a failure.
struct BinaryOperator {
  std::string_view sign;
  Result<Value> (*apply)(Run& run, const Value& left, const Value& right);
};
const BinaryOperator* FindBinary(std::string_view sign);

// == != < <= > >=, "in" and "not in".
struct Comparator {
  std::string_view sign;
  Result<bool> (*holds)(Run& run, const Value& left, const Value& right);
};
const Comparator* FindComparator(std::string_view sign);

Result<bool> Equal(Run& run, const Value& left, const Value& right);
// Numbers and texts alone have an order here.
Result<bool> Less(Run& run, const Value& left, const Value& right);
Result<bool> Contains(Run& run, const Value& container, const Value& element);

// value[key]: undefined where Python raises, but for an undefined value, which fails.
Result<Value> ItemOf(Run& run, const Value& value, const Value& key);
// value.name
Result<Value> AttributeOf(Run& run, const Value& value, std::string_view name);
// value[start:stop:step]; each may be none.
struct SliceBounds {
  Value start, stop, step;
};
Result<Value> SliceOf(Run& run, const Value& value, const SliceBounds& bounds);

}  // namespace emend::worker::chat
