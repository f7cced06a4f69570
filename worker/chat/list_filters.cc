// Filters of lists and mappings, and of single values that are no texts.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"
#include "worker/chat/show.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

constexpr SequenceKind kList = SequenceKind::kList, kGenerator = SequenceKind::kGenerator;

// "a.b" of a value: an attribute or index for each part.
Result<Value> AttributeByPath(Run& run, Value value, const Value& path) {
  if (path.Integer()) return ItemOf(run, value, path);
  if (path.text() == nullptr) return Failed("an attribute called " + std::string(path.KindName()));
  for (const std::string_view part : Split(*path.text(), ".", -1)) {
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    EMEND_ASSIGN_OR_RETURN(
        value, ItemOf(run, value, is_index ? Value::Of(index) : Value::Text(std::string(part))));
  }
  return value;
}

// The elements, or that attribute of each where the argument is given.
Result<Values> ElementsBy(const Call& call, std::size_t attribute) {
  EMEND_ASSIGN_OR_RETURN(Values elements, call.run.Elements(call.subject));
  if (!call.Has(attribute) || call.Argument(attribute).IsNone()) return elements;
  for (Value& element : elements) {
    EMEND_ASSIGN_OR_RETURN(element, AttributeByPath(call.run, element, call.Argument(attribute)));
  }
  return elements;
}

// What values are sorted and told apart by: texts without regard to case, unless it counts.
Result<Values> KeysBy(const Call& call, std::size_t attribute, std::size_t case_sensitive) {
  EMEND_ASSIGN_OR_RETURN(Values keys, ElementsBy(call, attribute));
  for (Value& key : keys) {
    if (call.IsTrue(case_sensitive) || key.text() == nullptr) continue;
    EMEND_ASSIGN_OR_RETURN(std::string small, InCase(*key.text(), LetterCase::kLower));
    EMEND_ASSIGN_OR_RETURN(key, call.run.MakeText(std::move(small)));
  }
  return keys;
}

// The positions of the keys in order; equal ones stay as they were.
Result<std::vector<std::size_t>> Sorted(Run& run, const Values& keys, bool is_reverse) {  // NOLINT
  std::vector<std::size_t> order(keys.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Status status = OkStatus();
  std::ranges::stable_sort(order, [&](std::size_t left, std::size_t right) {
    if (!status.ok()) return false;
    const Result<bool> less =
        is_reverse ? Less(run, keys[right], keys[left]) : Less(run, keys[left], keys[right]);
    if (!less.ok()) status = less.status();
    return less.ok() && *less;
  });
  EMEND_RETURN_IF_ERROR(status);
  return order;
}

Result<Value> LengthFilter(const Call& call) {
  const Value& value = call.subject;
  std::size_t length = 0;
  if (const Sequence* const sequence = value.sequence();
      sequence != nullptr && sequence->kind != kGenerator) {
    length = sequence->items.size();
  } else if (value.dict() != nullptr) {
    length = value.dict()->entries.size();
  } else if (value.text() != nullptr) {
    EMEND_RETURN_IF_ERROR(call.run.Work(value.text()->size()));
    length = CharacterCount(*value.text());
  } else if (!value.IsUndefined()) {
    return Failed("the length of " + std::string(value.KindName()));
  }
  return Value::Of(static_cast<std::int64_t>(length));
}

Result<Value> DefaultFilter(const Call& call) {
  const bool takes_false = call.IsTrue(1) && !call.subject.IsTrue();
  if (!call.subject.IsUndefined() && !takes_false) return call.subject;
  return call.Has(0) ? call.Argument(0) : Value::Text("");
}

Result<Value> JoinFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const Values elements, ElementsBy(call, 1));
  EMEND_ASSIGN_OR_RETURN(const std::string between,
                         call.Has(0) ? Shown(call.Argument(0)) : Result<std::string>(""));
  std::string joined;
  for (const Value& element : elements) {
    EMEND_ASSIGN_OR_RETURN(const std::string text, Shown(element));
    EMEND_RETURN_IF_ERROR(call.run.Work(text.size() + between.size()));
    joined += (&element == &elements.front() ? "" : between) + text;
  }
  return call.run.MakeText(std::move(joined));
}

Result<Value> FirstFilter(const Call& call) {
  const Sequence* const sequence = call.subject.sequence();
  if (sequence != nullptr && sequence->kind == kGenerator &&
      sequence->read_count < sequence->items.size())
    return sequence->items[sequence->read_count++];
  EMEND_ASSIGN_OR_RETURN(const Values elements, call.run.Elements(call.subject));
  return elements.empty() ? Value::Undefined("the first of nothing") : elements.front();
}

Result<Value> LastFilter(const Call& call) {
  const Sequence* const sequence = call.subject.sequence();
  if (sequence != nullptr && sequence->kind == kGenerator)
    return Failed("the last element of a generator");
  EMEND_ASSIGN_OR_RETURN(const Values elements, call.run.Elements(call.subject));
  return elements.empty() ? Value::Undefined("the last of nothing") : elements.back();
}

Result<Value> ListFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(Values elements, call.run.Elements(call.subject));
  return call.run.MakeSequence(kList, std::move(elements));
}

Result<Value> ReverseFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(Values elements, call.run.Elements(call.subject));
  std::ranges::reverse(elements);
  if (call.subject.text() == nullptr) return call.run.MakeSequence(kGenerator, std::move(elements));
  std::string reversed;
  for (const Value& character : elements) reversed += *character.text();
  return call.run.MakeText(std::move(reversed));
}

Result<Value> SortFilter(const Call& call) {
  const Sequence* const sequence = call.subject.sequence();
  EMEND_ASSIGN_OR_RETURN(const Values elements, call.run.Elements(call.subject));
  if (sequence != nullptr && sequence->kind == kGenerator) sequence->read_count = 0;
  EMEND_ASSIGN_OR_RETURN(const Values keys, KeysBy(call, 2, 1));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::size_t> order,
                         Sorted(call.run, keys, call.IsTrue(0)));
  Values sorted;
  for (const std::size_t i : order) sorted.push_back(elements[i]);
  return call.run.MakeSequence(kList, std::move(sorted));
}

Result<Value> UniqueFilter(const Call& call) {
  const Sequence* const sequence = call.subject.sequence();
  EMEND_ASSIGN_OR_RETURN(const Values elements, call.run.Elements(call.subject));
  if (sequence != nullptr && sequence->kind == kGenerator) sequence->read_count = 0;
  EMEND_ASSIGN_OR_RETURN(const Values keys, KeysBy(call, 1, 0));
  Values unique, seen;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EMEND_RETURN_IF_ERROR(call.run.Work(seen.size() * kElementBytes));
    if (!IsKey(keys[i])) return Failed("unique elements of " + std::string(keys[i].KindName()));
    const bool is_seen =
        std::ranges::any_of(seen, [&](const Value& each) { return SameKey(each, keys[i]); });
    if (is_seen) continue;
    seen.push_back(keys[i]);
    unique.push_back(elements[i]);
  }
  return call.run.MakeSequence(kGenerator, std::move(unique));
}

Result<Value> EntriesOf(const Call& call, const std::vector<std::size_t>* order,
                        SequenceKind kind) {
  const std::vector<Entry>& entries = call.subject.dict()->entries;
  Values pairs;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[order == nullptr ? i : (*order)[i]];
    EMEND_ASSIGN_OR_RETURN(
        Value pair, call.run.MakeSequence(SequenceKind::kTuple, {entry.first, entry.second}));
    pairs.push_back(std::move(pair));
  }
  return call.run.MakeSequence(kind, std::move(pairs));
}

Result<Value> ItemsFilter(const Call& call) {
  if (call.subject.IsUndefined()) return call.run.MakeSequence(kGenerator, {});
  if (call.subject.dict() == nullptr)
    return Failed("the items of " + std::string(call.subject.KindName()));
  return EntriesOf(call, nullptr, kGenerator);
}

Result<Value> DictSortFilter(const Call& call) {
  if (call.subject.dict() == nullptr)
    return Failed("sorting the items of " + std::string(call.subject.KindName()));
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> by, call.Text(1));
  if (by && *by != "key") return NotSupported("sorting the items of a mapping by \"" + *by + "\"");
  EMEND_ASSIGN_OR_RETURN(const Values keys, KeysBy(call, 3, 0));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::size_t> order,
                         Sorted(call.run, keys, call.IsTrue(2)));
  return EntriesOf(call, &order, kList);
}

// Of what is false there is nothing to map or select, whatever it is.
Result<Values> ElementsIfTrue(const Call& call) {
  return call.subject.IsTrue() ? call.run.Elements(call.subject) : Result<Values>(Values());
}

// map('filter', ...) or map(attribute=..., default=...)
Result<Value> MapFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(Values elements, ElementsIfTrue(call));
  const Value* const attribute = call.Find("attribute");
  const Value* const if_undefined = call.Find("default");
  if (attribute == nullptr && !call.Has(0)) return Failed("\"map\" without a filter");
  for (Value& element : elements) {
    EMEND_ASSIGN_OR_RETURN(element, attribute != nullptr
                                        ? AttributeByPath(call.run, element, *attribute)
                                        : CallByName(call.run, Table::kFilters, call.Argument(0),
                                                     element, call.arguments.subspan(1)));
    if (attribute != nullptr && if_undefined != nullptr && element.IsUndefined())
      element = *if_undefined;
  }
  return call.run.MakeSequence(kGenerator, std::move(elements));
}

// select and reject by a test, selectattr and rejectattr by a test of an attribute; by what is true
// where no test is named.
template <bool kKeeps, std::size_t kTest>
Result<Value> SelectFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const Values elements, ElementsIfTrue(call));
  if (call.arguments.size() < kTest) return Failed("selecting without the name of an attribute");
  Values selected;
  for (const Value& element : elements) {
    EMEND_ASSIGN_OR_RETURN(
        Value tested,
        kTest == 0 ? Result<Value>(element) : AttributeByPath(call.run, element, call.Argument(0)));
    if (call.Has(kTest)) {
      EMEND_ASSIGN_OR_RETURN(tested, CallByName(call.run, Table::kTests, call.Argument(kTest),
                                                tested, call.arguments.subspan(kTest + 1)));
    }
    if (tested.IsTrue() == kKeeps) selected.push_back(element);
  }
  return call.run.MakeSequence(kGenerator, std::move(selected));
}

// A text as Python's int and float read it, without "_".
std::optional<double> NumberOf(std::string_view text) {
  text = Strip(text, Side::kBoth);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = parsed.ptr == text.data() + text.size() && !text.empty();
  return is_whole && parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

Result<Value> IntFilter(const Call& call) {
  const Value& value = call.subject;
  if (value.IsUndefined()) return UndefinedFailed(value);
  if (value.Integer()) return Value::Of(*value.Integer());
  std::optional<double> number = value.Number();
  if (const std::string* const text = value.text()) {
    std::string_view digits = Strip(*text, Side::kBoth);
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
    std::int64_t integer = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), integer);
    if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size())
      return Value::Of(integer);
    number = NumberOf(*text);
  }
  if (!number || !std::isfinite(*number))
    return call.Has(0) ? call.Argument(0) : Value::Of<std::int64_t>(0);
  if (std::fabs(*number) >= 9.2e18) return NotSupported("an integer beyond 64 bits");
  return Value::Of(static_cast<std::int64_t>(*number));
}

Result<Value> FloatFilter(const Call& call) {
  if (call.subject.IsUndefined()) return UndefinedFailed(call.subject);
  const std::optional<double> number =
      call.subject.text() != nullptr ? NumberOf(*call.subject.text()) : call.subject.Number();
  if (number) return Value::Of(*number);
  return call.Has(0) ? call.Argument(0) : Value::Of(0.0);
}

Result<Value> AbsFilter(const Call& call) {
  if (call.subject.Integer() && *call.subject.Integer() >= 0)
    return Value::Of(*call.subject.Integer());
  if (call.subject.Integer())
    return FindBinary("-")->apply(call.run, Value::Of<std::int64_t>(0), call.subject);
  if (call.subject.Number()) return Value::Of(std::fabs(*call.subject.Number()));
  return Failed("the size of " + std::string(call.subject.KindName()));
}

constexpr Builtin kListFilters[] = {{"length", "", LengthFilter},
                                    {"count", "", LengthFilter},
                                    {"default", "default_value? boolean?", DefaultFilter},
                                    {"d", "default_value? boolean?", DefaultFilter},
                                    {"join", "d? attribute?", JoinFilter},
                                    {"first", "", FirstFilter},
                                    {"last", "", LastFilter},
                                    {"list", "", ListFilter},
                                    {"reverse", "", ReverseFilter},
                                    {"sort", "reverse? case_sensitive? attribute?", SortFilter},
                                    {"unique", "case_sensitive? attribute?", UniqueFilter},
                                    {"items", "", ItemsFilter},
                                    {"dictsort", "case_sensitive? by? reverse?", DictSortFilter},
                                    {"map", "*", MapFilter},
                                    {"select", "*", SelectFilter<true, 0>},
                                    {"reject", "*", SelectFilter<false, 0>},
                                    {"selectattr", "*", SelectFilter<true, 1>},
                                    {"rejectattr", "*", SelectFilter<false, 1>},
                                    {"int", "default?", IntFilter},
                                    {"float", "default?", FloatFilter},
                                    {"abs", "", AbsFilter}};

}  // namespace

std::span<const Builtin> ListFilters() { return kListFilters; }

}  // namespace emend::worker::chat
