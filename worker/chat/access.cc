// Items, attributes and slices of values.
#include <algorithm>
#include <limits>

#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

// What an integer key stands for among `count` elements; nothing if beyond them.
std::optional<std::size_t> Position(std::int64_t index, std::size_t count) {
  const auto size = static_cast<std::int64_t>(count);
  if (index < -size || index >= size) return std::nullopt;
  return static_cast<std::size_t>(index < 0 ? index + size : index);
}

bool HasIndices(const Sequence& sequence) {
  return sequence.kind == SequenceKind::kList || sequence.kind == SequenceKind::kTuple;
}

Value Missing(const Value& value, std::string_view name) {
  return Value::Undefined("\"" + std::string(name) + "\" of " + std::string(value.KindName()));
}

Result<Value> IndexedItem(Run& run, const Value& value, std::int64_t index) {
  if (const Sequence* const sequence = value.sequence(); sequence && HasIndices(*sequence)) {
    const auto position = Position(index, sequence->items.size());
    if (position) return sequence->items[*position];
  }
  if (const std::string* const text = value.text()) {
    EMEND_RETURN_IF_ERROR(run.Work(text->size() * kElementBytes));
    const std::vector<std::string_view> characters = Characters(*text);
    const auto position = Position(index, characters.size());
    if (position) return run.MakeText(std::string(characters[*position]));
  }
  return Missing(value, std::to_string(index));
}

// Start, stop and step as they count for `count` elements.
struct Range {
  std::int64_t start, stop, step;
};

Result<Range> RangeOver(const SliceBounds& bounds, std::size_t count) {
  const auto size = static_cast<std::int64_t>(count);
  const auto read = [](const Value& value, std::int64_t if_none) -> Result<std::int64_t> {
    if (value.IsNone()) return if_none;
    if (value.Integer()) return *value.Integer();
    return Failed("a slice by " + std::string(value.KindName()));
  };
  EMEND_ASSIGN_OR_RETURN(const std::int64_t step, read(bounds.step, 1));
  if (step == 0) return Failed("a slice with a step of 0");
  const bool is_forward = step > 0;
  const std::int64_t low = is_forward ? 0 : -1, high = is_forward ? size : size - 1;
  const auto clamped = [&](const Value& value, std::int64_t if_none) -> Result<std::int64_t> {
    if (value.IsNone()) return if_none;
    EMEND_ASSIGN_OR_RETURN(const std::int64_t at, read(value, 0));
    return std::clamp(at < 0 ? std::max(at, -size - 1) + size : at, low, high);
  };
  EMEND_ASSIGN_OR_RETURN(const std::int64_t start, clamped(bounds.start, is_forward ? low : high));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t stop, clamped(bounds.stop, is_forward ? high : low));
  return Range{start, stop, std::clamp(step, -size - 1, size + 1)};
}

}  // namespace

Result<Value> ItemOf(Run& run, const Value& value, const Value& key) {
  if (value.IsUndefined()) return UndefinedFailed(value);
  if (const Dict* const dict = value.dict(); dict != nullptr && IsKey(key)) {
    EMEND_RETURN_IF_ERROR(run.Work(dict->entries.size()));
    if (const Value* const found = dict->Find(key)) return *found;
  }
  if (const std::string* const name = key.text()) {
    if (value.name_space() != nullptr) return AttributeOf(run, value, *name);
    if (HasMethod(value, *name)) return NotSupported("the method \"" + *name + "\" as a value");
    return Missing(value, *name);
  }
  if (key.Integer()) return IndexedItem(run, value, *key.Integer());
  return Missing(value, "a key");
}

Result<Value> AttributeOf(Run& run, const Value& value, std::string_view name) {
  if (value.IsUndefined()) return UndefinedFailed(value);
  if (Namespace* const name_space = value.name_space()) {
    EMEND_RETURN_IF_ERROR(run.Work(name_space->attributes.size()));
    const Value* const found = name_space->Find(name);
    return found == nullptr ? Missing(value, name) : *found;
  }
  if (HasMethod(value, name))
    return NotSupported("the method \"" + std::string(name) + "\" as a value");
  if (const Dict* const dict = value.dict()) {
    EMEND_RETURN_IF_ERROR(run.Work(dict->entries.size()));
    if (const Value* const found = dict->Find(name)) return *found;
  }
  return Missing(value, name);
}

Result<Value> SliceOf(Run& run, const Value& value, const SliceBounds& bounds) {
  if (value.IsUndefined()) return UndefinedFailed(value);
  const std::string* const text = value.text();
  const Sequence* const sequence = value.sequence();
  if (text == nullptr && (sequence == nullptr || !HasIndices(*sequence)))
    return Failed("a slice of " + std::string(value.KindName()));
  EMEND_RETURN_IF_ERROR(
      run.Work((text != nullptr ? text->size() : sequence->items.size()) * kElementBytes));
  const std::vector<std::string_view> characters =
      text != nullptr ? Characters(*text) : std::vector<std::string_view>();
  EMEND_ASSIGN_OR_RETURN(
      const Range range,
      RangeOver(bounds, text != nullptr ? characters.size() : sequence->items.size()));
  std::string part;
  Values items;
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;
       i += range.step) {
    if (text != nullptr) {
      part += characters[static_cast<std::size_t>(i)];
    } else {
      items.push_back(sequence->items[static_cast<std::size_t>(i)]);
    }
  }
  return text != nullptr ? run.MakeText(std::move(part))
                         : run.MakeSequence(sequence->kind, std::move(items));
}

}  // namespace emend::worker::chat
