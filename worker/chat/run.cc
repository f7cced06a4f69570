#include "worker/chat/run.h"

#include <algorithm>

#include "worker/chat/chat_template.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

Result<int> DepthOver(int deepest) {
  if (deepest < kValueDepthMax) return deepest + 1;
  return ResourceExhausted("a list or mapping nests deeper than " + std::to_string(kValueDepthMax) +
                           " levels");
}

// A namespace changes, so that one inside a value could hold itself.
Status CheckHoldable(const Value& value) {
  if (value.name_space() == nullptr) return OkStatus();
  return NotSupported("a namespace inside a list, a mapping or a namespace");
}

}  // namespace

Status Failed(std::string message) {
  return {StatusCode::kInvalidArgument, "chat_template_failed", std::move(message)};
}

Status NotSupported(std::string message) {
  return {StatusCode::kUnsupported, "unsupported_chat_template",
          std::move(message) + " is not supported"};
}

Status UndefinedFailed(const Value& value) {
  const auto* const undefined = value.As<UndefinedValue>();
  return Failed((undefined == nullptr ? "a value" : undefined->name) + " is undefined");
}

const Value* Scope::Find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return &found->second;
  }
  return nullptr;
}

void Scope::Set(std::string_view name, Value value) {
  variables.insert_or_assign(std::string(name), std::move(value));
}

Status Run::Work(std::size_t bytes) {
  bytes_left_ -= static_cast<std::int64_t>(std::min(bytes, std::size_t{kWorkBytesMax} + 1));
  if (bytes_left_ >= 0) return OkStatus();
  return ResourceExhausted("it makes and reads texts and lists of more than " +
                           std::to_string(kWorkBytesMax) + " bytes in all");
}

Status Run::Step(int line) {
  line_ = line;
  if (--steps_left_ >= 0) return OkStatus();
  return ResourceExhausted("it takes more than " + std::to_string(kStepsMax) + " steps");
}

Result<Value> Run::MakeText(std::string text) {
  if (text.size() > kTextBytesMax)
    return ResourceExhausted("a text has " + std::to_string(text.size()) + " bytes; at most " +
                             std::to_string(kTextBytesMax) + " are allowed");
  EMEND_RETURN_IF_ERROR(Work(text.size()));
  return Value::Text(std::move(text));
}

Result<Value> Run::MakeSequence(SequenceKind kind, Values items) {
  EMEND_RETURN_IF_ERROR(Work(items.size() * kElementBytes));
  int deepest = 0;
  for (const Value& item : items) {
    EMEND_RETURN_IF_ERROR(CheckHoldable(item));
    deepest = std::max(deepest, item.depth());
  }
  Sequence sequence{.kind = kind, .items = std::move(items), .depth = 0};
  EMEND_ASSIGN_OR_RETURN(sequence.depth, DepthOver(deepest));
  return Value::Of(
      std::shared_ptr<const Sequence>(std::make_shared<Sequence>(std::move(sequence))));
}

Result<Value> Run::MakeDict(std::vector<Entry> entries) {
  EMEND_RETURN_IF_ERROR(Work(entries.size() * entries.size() * kElementBytes));
  Dict dict;
  int deepest = 0;
  for (Entry& entry : entries) {
    if (!IsKey(entry.first))
      return Failed("the key of a mapping is " + std::string(entry.first.KindName()));
    EMEND_RETURN_IF_ERROR(CheckHoldable(entry.second));
    deepest = std::max(deepest, entry.second.depth());
    const auto same = std::ranges::find_if(
        dict.entries, [&](const Entry& each) { return SameKey(each.first, entry.first); });
    if (same == dict.entries.end()) {
      dict.entries.push_back(std::move(entry));
    } else {
      same->second = std::move(entry.second);
    }
  }
  EMEND_ASSIGN_OR_RETURN(dict.depth, DepthOver(deepest));
  return Value::Of(std::shared_ptr<const Dict>(std::make_shared<Dict>(std::move(dict))));
}

Result<Values> Run::Elements(const Value& value) {
  Values elements;
  if (value.IsUndefined()) return elements;
  if (const Sequence* const sequence = value.sequence()) {
    EMEND_RETURN_IF_ERROR(Work(sequence->items.size() * kElementBytes));
    elements.assign(sequence->items.begin() + static_cast<std::ptrdiff_t>(sequence->read_count),
                    sequence->items.end());
    if (sequence->kind == SequenceKind::kGenerator) sequence->read_count = sequence->items.size();
    return elements;
  }
  if (const Dict* const dict = value.dict()) {
    EMEND_RETURN_IF_ERROR(Work(dict->entries.size() * kElementBytes));
    for (const Entry& entry : dict->entries) elements.push_back(entry.first);
    return elements;
  }
  if (const std::string* const text = value.text()) {
    EMEND_RETURN_IF_ERROR(Work(text->size() * 2 * kElementBytes));
    for (const std::string_view character : Characters(*text))
      elements.push_back(Value::Text(std::string(character)));
    return elements;
  }
  return Failed("iterating over " + std::string(value.KindName()));
}

Status Run::Write(std::string_view text) {
  if (text.size() > kTextBytesMax - output.size())
    return ResourceExhausted("it writes more than " + std::to_string(kTextBytesMax) + " bytes");
  output.append(text);
  return OkStatus();
}

Status Deeper::Check() const {
  if (run_.depth <= kDepthMax) return OkStatus();
  return ResourceExhausted("it nests deeper than " + std::to_string(kDepthMax) +
                           " evaluations: do macros call each other without end?");
}

}  // namespace emend::worker::chat
