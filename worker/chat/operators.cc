#include "worker/chat/operators.h"

#include <algorithm>
#include <cmath>

#include "worker/chat/show.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

Status NoOperation(std::string_view sign, const Value& left, const Value& right) {
  if (left.IsUndefined()) return UndefinedFailed(left);
  if (right.IsUndefined()) return UndefinedFailed(right);
  return Failed("\"" + std::string(sign) + "\" between " + std::string(left.KindName()) + " and " +
                std::string(right.KindName()));
}

Result<Value> Number(double number) { return Value::Of(number); }
Result<Value> IntegerUnless(bool overflows, std::int64_t integer) {
  if (overflows) return NotSupported("an integer beyond 64 bits");
  return Value::Of(integer);
}

bool AreIntegers(const Value& left, const Value& right) {
  return left.Integer() && right.Integer();
}
bool AreNumbers(const Value& left, const Value& right) { return left.Number() && right.Number(); }

Result<Value> Concatenated(Run& run, const std::string& left, const std::string& right) {
  EMEND_RETURN_IF_ERROR(run.Work(left.size() + right.size()));
  return run.MakeText(left + right);
}

Result<Value> Add(Run& run, const Value& left, const Value& right) {
  if (left.text() != nullptr && right.text() != nullptr)
    return Concatenated(run, *left.text(), *right.text());
  if (AreIntegers(left, right)) {
    std::int64_t sum = 0;
    const bool overflows = __builtin_add_overflow(*left.Integer(), *right.Integer(), &sum);
    return IntegerUnless(overflows, sum);
  }
  if (AreNumbers(left, right)) return Number(*left.Number() + *right.Number());
  const Sequence *const first = left.sequence(), *const second = right.sequence();
  const bool are_lists =
      first != nullptr && second != nullptr && first->kind == second->kind &&
      (first->kind == SequenceKind::kList || first->kind == SequenceKind::kTuple);
  if (!are_lists) return NoOperation("+", left, right);
  EMEND_RETURN_IF_ERROR(run.Work((first->items.size() + second->items.size()) * kElementBytes));
  Values items = first->items;
  items.insert(items.end(), second->items.begin(), second->items.end());
  return run.MakeSequence(first->kind, std::move(items));
}

Result<Value> Subtract(Run&, const Value& left, const Value& right) {
  if (AreIntegers(left, right)) {
    std::int64_t difference = 0;
    const bool overflows = __builtin_sub_overflow(*left.Integer(), *right.Integer(), &difference);
    return IntegerUnless(overflows, difference);
  }
  if (AreNumbers(left, right)) return Number(*left.Number() - *right.Number());
  return NoOperation("-", left, right);
}

Result<Value> Repeated(Run& run, const std::string& text, std::int64_t count) {
  const std::size_t times = count < 0 ? 0 : static_cast<std::size_t>(count);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(times, text.size(), &bytes)) bytes = static_cast<std::size_t>(-1);
  EMEND_RETURN_IF_ERROR(run.Work(bytes));
  std::string repeated;
  for (std::size_t i = 0; i < times && !text.empty(); ++i) repeated += text;
  return run.MakeText(std::move(repeated));
}

Result<Value> Multiply(Run& run, const Value& left, const Value& right) {
  if (AreIntegers(left, right)) {
    std::int64_t product = 0;
    const bool overflows = __builtin_mul_overflow(*left.Integer(), *right.Integer(), &product);
    return IntegerUnless(overflows, product);
  }
  if (AreNumbers(left, right)) return Number(*left.Number() * *right.Number());
  if (left.text() != nullptr && right.Integer())
    return Repeated(run, *left.text(), *right.Integer());
  if (right.text() != nullptr && left.Integer())
    return Repeated(run, *right.text(), *left.Integer());
  return NoOperation("*", left, right);
}

Result<Value> Divide(Run&, const Value& left, const Value& right) {
  if (!AreNumbers(left, right)) return NoOperation("/", left, right);
  if (*right.Number() == 0) return Failed("division by zero");
  return Number(*left.Number() / *right.Number());
}

// Towards minus infinity, as Python rounds; the remainder has the sign of the divisor.
Result<Value> FloorDivide(Run& run, const Value& left, const Value& right) {
  if (!AreNumbers(left, right)) return NoOperation("//", left, right);
  if (*right.Number() == 0) return Failed("division by zero");
  if (!AreIntegers(left, right)) return Number(std::floor(*left.Number() / *right.Number()));
  const std::int64_t dividend = *left.Integer(), divisor = *right.Integer();
  if (divisor == -1) return Subtract(run, Value::Of<std::int64_t>(0), left);
  const bool rounds_up = dividend % divisor != 0 && (dividend < 0) != (divisor < 0);
  return Value::Of<std::int64_t>(dividend / divisor - (rounds_up ? 1 : 0));
}

Result<Value> Remainder(Run&, const Value& left, const Value& right) {
  if (left.text() != nullptr) return NotSupported("formatting a text with \"%\"");
  if (!AreNumbers(left, right)) return NoOperation("%", left, right);
  if (*right.Number() == 0) return Failed("division by zero");
  if (AreIntegers(left, right)) {
    const std::int64_t divisor = *right.Integer();
    const std::int64_t rest = divisor == -1 ? 0 : *left.Integer() % divisor;
    return Value::Of<std::int64_t>(rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor
                                                                            : rest);
  }
  const double divisor = *right.Number(), rest = std::fmod(*left.Number(), divisor);
  if (rest == 0) return Number(std::copysign(0.0, divisor));
  return Number((rest < 0) != (divisor < 0) ? rest + divisor : rest);
}

Result<Value> Power(Run&, const Value& left, const Value& right) {
  if (!AreNumbers(left, right)) return NoOperation("**", left, right);
  if (!AreIntegers(left, right) || *right.Integer() < 0) {
    if (*left.Number() == 0 && *right.Number() < 0) return Failed("division by zero");
    return Number(std::pow(*left.Number(), *right.Number()));
  }
  std::int64_t power = 1, base = *left.Integer();
  for (std::int64_t exponent = *right.Integer(); exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(power, base, &power))
      return IntegerUnless(true, 0);
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return IntegerUnless(true, 0);
  }
  return Value::Of(power);
}

Result<Value> Join(Run& run, const Value& left, const Value& right) {
  EMEND_ASSIGN_OR_RETURN(const std::string first, Shown(left));
  EMEND_ASSIGN_OR_RETURN(const std::string second, Shown(right));
  return Concatenated(run, first, second);
}

constexpr BinaryOperator kBinaries[] = {{"+", Add},    {"-", Subtract},     {"*", Multiply},
                                        {"/", Divide}, {"//", FloorDivide}, {"%", Remainder},
                                        {"**", Power}, {"~", Join}};

Result<bool> NotEqual(Run& run, const Value& left, const Value& right) {
  EMEND_ASSIGN_OR_RETURN(const bool are_equal, Equal(run, left, right));
  return !are_equal;
}
Result<bool> Greater(Run& run, const Value& left, const Value& right) {
  return Less(run, right, left);
}
// Not the opposite of Less: nothing is in order with a number that is none (NaN).
Result<bool> LessOrEqual(Run& run, const Value& left, const Value& right) {
  EMEND_ASSIGN_OR_RETURN(const bool is_less, Less(run, left, right));
  return is_less ? Result<bool>(true) : Equal(run, left, right);
}
Result<bool> GreaterOrEqual(Run& run, const Value& left, const Value& right) {
  return LessOrEqual(run, right, left);
}
Result<bool> In(Run& run, const Value& left, const Value& right) {
  return Contains(run, right, left);
}
Result<bool> NotIn(Run& run, const Value& left, const Value& right) {
  EMEND_ASSIGN_OR_RETURN(const bool contains, Contains(run, right, left));
  return !contains;
}

constexpr Comparator kComparators[] = {
    {"==", Equal},  {"!=", NotEqual},       {"<", Less}, {"<=", LessOrEqual},
    {">", Greater}, {">=", GreaterOrEqual}, {"in", In},  {"not in", NotIn}};

Result<bool> EqualSequences(Run& run, const Sequence& left, const Sequence& right) {
  if (&left == &right) return true;
  if (left.kind != right.kind || left.items.size() != right.items.size()) return false;
  if (left.kind != SequenceKind::kList && left.kind != SequenceKind::kTuple) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    EMEND_ASSIGN_OR_RETURN(const bool are_equal, Equal(run, left.items[i], right.items[i]));
    if (!are_equal) return false;
  }
  return true;
}

Result<bool> EqualDicts(Run& run, const Dict& left, const Dict& right) {
  if (&left == &right) return true;
  if (left.entries.size() != right.entries.size()) return false;
  for (const Entry& entry : left.entries) {
    EMEND_RETURN_IF_ERROR(run.Work(right.entries.size() * kElementBytes));
    const Value* const other = right.Find(entry.first);
    if (other == nullptr) return false;
    EMEND_ASSIGN_OR_RETURN(const bool are_equal, Equal(run, entry.second, *other));
    if (!are_equal) return false;
  }
  return true;
}

}  // namespace

const BinaryOperator* FindBinary(std::string_view sign) {
  const auto* const found = std::ranges::find(kBinaries, sign, &BinaryOperator::sign);
  return found == std::end(kBinaries) ? nullptr : found;
}

const Comparator* FindComparator(std::string_view sign) {
  const auto* const found = std::ranges::find(kComparators, sign, &Comparator::sign);
  return found == std::end(kComparators) ? nullptr : found;
}

Result<bool> Equal(Run& run, const Value& left, const Value& right) {
  EMEND_RETURN_IF_ERROR(run.Work(kElementBytes));
  if (left.text() != nullptr && right.text() != nullptr) {
    if (left.text()->size() != right.text()->size()) return false;
    EMEND_RETURN_IF_ERROR(run.Work(left.text()->size()));
    return *left.text() == *right.text();
  }
  if (left.sequence() != nullptr && right.sequence() != nullptr)
    return EqualSequences(run, *left.sequence(), *right.sequence());
  if (left.dict() != nullptr && right.dict() != nullptr)
    return EqualDicts(run, *left.dict(), *right.dict());
  if (left.IsUndefined() && right.IsUndefined()) return true;
  if (left.name_space() != nullptr) return left.name_space() == right.name_space();
  return IsKey(left) && IsKey(right) && SameKey(left, right);
}

Result<bool> Less(Run& run, const Value& left, const Value& right) {
  if (AreIntegers(left, right)) return *left.Integer() < *right.Integer();
  if (AreNumbers(left, right)) return *left.Number() < *right.Number();
  if (left.text() == nullptr || right.text() == nullptr) return NoOperation("<", left, right);
  EMEND_RETURN_IF_ERROR(run.Work(std::min(left.text()->size(), right.text()->size())));
  return *left.text() < *right.text();
}

Result<bool> Contains(Run& run, const Value& container, const Value& element) {
  if (const std::string* const text = container.text()) {
    if (element.text() == nullptr) return NoOperation("in", element, container);
    EMEND_RETURN_IF_ERROR(run.Work(text->size()));
    return Find(*text, *element.text()).has_value();
  }
  if (const Dict* const dict = container.dict()) {
    EMEND_RETURN_IF_ERROR(run.Work(dict->entries.size() * kElementBytes));
    if (!IsKey(element))
      return Failed("looking for " + std::string(element.KindName()) +
                    " among the keys of a mapping");
    return dict->Find(element) != nullptr;
  }
  if (!container.IsUndefined() && container.sequence() == nullptr)
    return NoOperation("in", element, container);
  EMEND_ASSIGN_OR_RETURN(const Values elements, run.Elements(container));
  for (const Value& each : elements) {
    EMEND_ASSIGN_OR_RETURN(const bool are_equal, Equal(run, each, element));
    if (are_equal) return true;
  }
  return false;
}

}  // namespace emend::worker::chat
