// Tests: what stands after "is".
#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"

namespace emend::worker::chat {
namespace {

using Predicate = bool (*)(const Value& value);
template <Predicate kHolds>
Result<Value> Is(const Call& call) {
  return Value::Of(kHolds(call.subject));
}

template <char kFirst, char kSecond = '\0'>
Result<Value> Compares(const Call& call) {
  static constexpr char kSign[] = {kFirst, kSecond, '\0'};
  EMEND_ASSIGN_OR_RETURN(const bool holds,
                         FindComparator(kSign)->holds(call.run, call.subject, call.Argument(0)));
  return Value::Of(holds);
}

template <int kRest>
Result<Value> HasParity(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(
      const Value rest, FindBinary("%")->apply(call.run, call.subject, Value::Of<std::int64_t>(2)));
  return Value::Of(rest.Number() && *rest.Number() == kRest);
}

Result<Value> IsDivisible(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const Value rest,
                         FindBinary("%")->apply(call.run, call.subject, call.Argument(0)));
  return Value::Of(!rest.IsTrue());
}

constexpr Predicate kIsDefined = [](const Value& value) { return !value.IsUndefined(); };
constexpr Predicate kIsUndefined = [](const Value& value) { return value.IsUndefined(); };
constexpr Predicate kIsNone = [](const Value& value) { return value.IsNone(); };
constexpr Predicate kIsText = [](const Value& value) { return value.text() != nullptr; };
constexpr Predicate kIsNumber = [](const Value& value) { return value.Number().has_value(); };
constexpr Predicate kIsInteger = [](const Value& value) {
  return value.As<std::int64_t>() != nullptr;
};
constexpr Predicate kIsFloat = [](const Value& value) { return value.As<double>() != nullptr; };
constexpr Predicate kIsBoolean = [](const Value& value) { return value.As<bool>() != nullptr; };
constexpr Predicate kIsMapping = [](const Value& value) { return value.dict() != nullptr; };
// An undefined value counts as empty here, as it does in a loop.
constexpr Predicate kIsIterable = [](const Value& value) {
  return value.IsUndefined() || value.text() || value.sequence() || value.dict();
};
constexpr Predicate kIsSequence = [](const Value& value) {
  const Sequence* const sequence = value.sequence();
  const bool is_indexed = sequence == nullptr || sequence->kind == SequenceKind::kList ||
                          sequence->kind == SequenceKind::kTuple;
  return kIsIterable(value) && is_indexed;
};
constexpr Predicate kIsTrue = [](const Value& value) {
  return value.As<bool>() != nullptr && *value.As<bool>();
};
constexpr Predicate kIsFalse = [](const Value& value) {
  return value.As<bool>() != nullptr && !*value.As<bool>();
};

Result<Value> IsIn(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const bool contains, Contains(call.run, call.Argument(0), call.subject));
  return Value::Of(contains);
}

constexpr Builtin kTests[] = {{"defined", "", Is<kIsDefined>},
                              {"undefined", "", Is<kIsUndefined>},
                              {"none", "", Is<kIsNone>},
                              {"string", "", Is<kIsText>},
                              {"number", "", Is<kIsNumber>},
                              {"integer", "", Is<kIsInteger>},
                              {"float", "", Is<kIsFloat>},
                              {"boolean", "", Is<kIsBoolean>},
                              {"mapping", "", Is<kIsMapping>},
                              {"iterable", "", Is<kIsIterable>},
                              {"sequence", "", Is<kIsSequence>},
                              {"true", "", Is<kIsTrue>},
                              {"false", "", Is<kIsFalse>},
                              {"odd", "", HasParity<1>},
                              {"even", "", HasParity<0>},
                              {"divisibleby", "num", IsDivisible},
                              {"in", "seq", IsIn},
                              {"equalto", "other", Compares<'=', '='>},
                              {"eq", "other", Compares<'=', '='>},
                              {"==", "other", Compares<'=', '='>},
                              {"ne", "other", Compares<'!', '='>},
                              {"!=", "other", Compares<'!', '='>},
                              {"lt", "other", Compares<'<'>},
                              {"le", "other", Compares<'<', '='>},
                              {"gt", "other", Compares<'>'>},
                              {"ge", "other", Compares<'>', '='>}};

}  // namespace

std::span<const Builtin> Tests() { return kTests; }

}  // namespace emend::worker::chat
