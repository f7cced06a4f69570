// Methods of texts and mappings.
#include <algorithm>

#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"
#include "worker/chat/show.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

constexpr std::size_t kStrippedBytesMax = 1024;

Status NoMethodOf(std::string_view kind, const Value& subject) {
  if (subject.IsUndefined()) return UndefinedFailed(subject);
  return Failed(std::string(subject.KindName()) + " has no methods of " + std::string(kind));
}

// A method of texts: whatever it reads is counted first.
using TextMethod = Result<Value> (*)(const Call& call, const std::string& text);
template <TextMethod kMethod>
Result<Value> OfText(const Call& call) {
  if (call.subject.text() == nullptr) return NoMethodOf("a text", call.subject);
  EMEND_RETURN_IF_ERROR(call.run.Work(call.subject.text()->size()));
  return kMethod(call, *call.subject.text());
}

template <Side kSide>
Result<Value> StripMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> characters, call.Text(0));
  if (characters && characters->size() > kStrippedBytesMax)
    return ResourceExhausted("stripping more than " + std::to_string(kStrippedBytesMax) +
                             " bytes of characters");
  return call.run.MakeText(std::string(Strip(text, kSide, characters)));
}

template <LetterCase kCase>
Result<Value> CaseMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(std::string changed, InCase(text, kCase));
  return call.run.MakeText(std::move(changed));
}

Result<Value> ListOfTexts(Run& run, const std::vector<std::string_view>& texts) {
  Values items;
  for (const std::string_view text : texts) {
    EMEND_RETURN_IF_ERROR(run.Work(text.size() + kElementBytes));
    items.push_back(Value::Text(std::string(text)));
  }
  return run.MakeSequence(SequenceKind::kList, std::move(items));
}

Result<Value> SplitMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> separator, call.Text(0));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t cuts_max, call.Integer(1, -1));
  if (separator && separator->empty()) return Failed("splitting a text at an empty separator");
  return ListOfTexts(call.run, Split(text, separator, cuts_max));
}

Result<Value> SplitLinesMethod(const Call& call, const std::string& text) {
  return ListOfTexts(call.run, SplitLines(text));
}

Result<bool> StandsAt(const Call& call, bool at_end, const std::string& part) {
  const std::string& text = *call.subject.text();
  EMEND_RETURN_IF_ERROR(call.run.Work(part.size() + 1));
  return at_end ? text.ends_with(part) : text.starts_with(part);
}

// startswith and endswith: of a text or of any of a tuple.
template <bool kAtEnd>
Result<Value> AffixMethod(const Call& call, const std::string&) {
  const Value& affix = call.Argument(0);
  const bool is_tuple =
      affix.sequence() != nullptr && affix.sequence()->kind == SequenceKind::kTuple;
  bool stands = false;
  for (const Value& each : is_tuple ? affix.sequence()->items : Values{affix}) {
    if (each.text() == nullptr)
      return Failed("expected a text or a tuple of texts, found " + std::string(each.KindName()));
    EMEND_ASSIGN_OR_RETURN(const bool stands_here, StandsAt(call, kAtEnd, *each.text()));
    stands = stands || stands_here;
  }
  return Value::Of(stands);
}

template <bool kAtEnd>
Result<Value> RemoveAffixMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> affix, call.Text(0));
  if (!affix) return Failed("removing none from a text");
  EMEND_ASSIGN_OR_RETURN(const bool stands, StandsAt(call, kAtEnd, *affix));
  if (!stands) return call.subject;
  return call.run.MakeText(kAtEnd ? text.substr(0, text.size() - affix->size())
                                  : text.substr(affix->size()));
}

// An empty text stands before each character and at the end.
std::vector<std::size_t> PlacesOf(const std::string& part, const std::string& text,
                                  std::int64_t count_max) {
  std::vector<std::size_t> places;
  const auto goes_on = [&] {
    return count_max < 0 || static_cast<std::int64_t>(places.size()) < count_max;
  };
  if (part.empty()) {
    std::size_t at = 0;
    for (const std::string_view character : Characters(text)) {
      if (!goes_on()) return places;
      places.push_back(at);
      at += character.size();
    }
    if (goes_on()) places.push_back(at);
    return places;
  }
  for (auto at = Find(text, part); at && goes_on(); at = Find(text, part, *at + part.size()))
    places.push_back(*at);
  return places;
}

Result<Value> ReplaceMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> old_part, call.Text(0));
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> new_part, call.Text(1));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t count_max, call.Integer(2, -1));
  if (!old_part || !new_part) return Failed("replacing a part of a text by or for none");
  const std::vector<std::size_t> places = PlacesOf(*old_part, text, count_max);
  EMEND_RETURN_IF_ERROR(call.run.Work(places.size() * (kElementBytes + new_part->size())));
  std::string replaced;
  std::size_t from = 0;
  for (const std::size_t place : places) {
    replaced.append(text, from, place - from).append(*new_part);
    from = place + old_part->size();
  }
  return call.run.MakeText(replaced.append(text, from));
}

Result<Value> FindTextMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> part, call.Text(0));
  if (!part) return Failed("looking for none in a text");
  const std::optional<std::size_t> at = Find(text, *part);
  if (!at) return Value::Of<std::int64_t>(-1);
  return Value::Of(
      static_cast<std::int64_t>(CharacterCount(std::string_view(text).substr(0, *at))));
}

Result<Value> CountMethod(const Call& call, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> part, call.Text(0));
  if (!part) return Failed("counting none in a text");
  return Value::Of(static_cast<std::int64_t>(PlacesOf(*part, text, -1).size()));
}

Result<Value> JoinMethod(const Call& call, const std::string&) {
  EMEND_ASSIGN_OR_RETURN(Values elements, call.run.Elements(call.Argument(0)));
  for (const Value& each : elements) {
    if (each.text() == nullptr) return Failed("joining " + std::string(each.KindName()));
  }
  EMEND_ASSIGN_OR_RETURN(const Value list,
                         call.run.MakeSequence(SequenceKind::kList, std::move(elements)));
  const std::optional<Value> between[] = {call.subject};
  return FindFilter("join")->run({call.run, list, between});
}

Result<Value> GetMethod(const Call& call) {
  if (call.subject.dict() == nullptr) return NoMethodOf("a mapping", call.subject);
  if (!IsKey(call.Argument(0)))
    return Failed("a key that is " + std::string(call.Argument(0).KindName()));
  EMEND_RETURN_IF_ERROR(call.run.Work(call.subject.dict()->entries.size()));
  const Value* const found = call.subject.dict()->Find(call.Argument(0));
  if (found != nullptr) return *found;
  return call.Has(1) ? call.Argument(1) : Value::None();
}

// items, keys and values.
template <bool kKeys, bool kValues>
Result<Value> ViewMethod(const Call& call) {
  if (call.subject.dict() == nullptr) return NoMethodOf("a mapping", call.subject);
  Values items;
  for (const Entry& entry : call.subject.dict()->entries) {
    if (kKeys && kValues) {
      EMEND_ASSIGN_OR_RETURN(
          Value pair, call.run.MakeSequence(SequenceKind::kTuple, {entry.first, entry.second}));
      items.push_back(std::move(pair));
    } else {
      items.push_back(kKeys ? entry.first : entry.second);
    }
  }
  return call.run.MakeSequence(SequenceKind::kView, std::move(items));
}

// The sandbox that templates run in lets nothing be changed.
Result<Value> ChangingMethod(const Call&) { return NotSupported("changing a list or mapping"); }

constexpr Builtin kMethods[] = {{"append", "object", ChangingMethod},
                                {"pop", "key? default?", ChangingMethod},
                                {"update", "*", ChangingMethod},
                                {"strip", "chars?", OfText<StripMethod<Side::kBoth>>},
                                {"lstrip", "chars?", OfText<StripMethod<Side::kLeft>>},
                                {"rstrip", "chars?", OfText<StripMethod<Side::kRight>>},
                                {"split", "sep? maxsplit?", OfText<SplitMethod>},
                                {"splitlines", "", OfText<SplitLinesMethod>},
                                {"startswith", "prefix", OfText<AffixMethod<false>>},
                                {"endswith", "suffix", OfText<AffixMethod<true>>},
                                {"removeprefix", "prefix", OfText<RemoveAffixMethod<false>>},
                                {"removesuffix", "suffix", OfText<RemoveAffixMethod<true>>},
                                {"upper", "", OfText<CaseMethod<LetterCase::kUpper>>},
                                {"lower", "", OfText<CaseMethod<LetterCase::kLower>>},
                                {"title", "", OfText<CaseMethod<LetterCase::kTitle>>},
                                {"capitalize", "", OfText<CaseMethod<LetterCase::kCapitalized>>},
                                {"replace", "old new count?", OfText<ReplaceMethod>},
                                {"find", "sub", OfText<FindTextMethod>},
                                {"count", "sub", OfText<CountMethod>},
                                {"join", "iterable", OfText<JoinMethod>},
                                {"get", "key default?", GetMethod},
                                {"items", "", ViewMethod<true, true>},
                                {"keys", "", ViewMethod<true, false>},
                                {"values", "", ViewMethod<false, true>}};
// The first and the last ones.
constexpr std::size_t kChangingMethodCount = 3, kDictMethodCount = 4;

}  // namespace

std::span<const Builtin> Methods() { return kMethods; }

bool HasMethod(const Value& value, std::string_view name) {
  const std::span<const Builtin> all(kMethods);
  const auto has = [&](std::span<const Builtin> rows) {
    return std::ranges::find(rows, name, &Builtin::name) != rows.end();
  };
  const std::size_t others = kChangingMethodCount + kDictMethodCount;
  if (value.text() != nullptr) return has(all.subspan(kChangingMethodCount, all.size() - others));
  return value.dict() != nullptr && has(all.last(kDictMethodCount));
}

}  // namespace emend::worker::chat
