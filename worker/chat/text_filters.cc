// Filters that make a text of what they are given.
#include <algorithm>

#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"
#include "worker/chat/show.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

constexpr std::int64_t kIndentMax = 1000;

template <LetterCase kCase>
Result<Value> CaseFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const std::string text, Shown(call.subject));
  EMEND_ASSIGN_OR_RETURN(std::string changed, InCase(text, kCase));
  return call.run.MakeText(std::move(changed));
}

Result<Value> StringFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(std::string text, Shown(call.subject));
  return call.run.MakeText(std::move(text));
}

// Where it stands last in an output the parser takes it away: nothing is escaped there. Elsewhere
// it would make Python escape what it is joined with.
Result<Value> SafeFilter(const Call&) {
  return NotSupported("\"safe\" anywhere but at the end of an output");
}

// As the methods do it, on the text of any value.
Result<Value> TrimFilter(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const Value subject, StringFilter({call.run, call.subject, {}}));
  return FindMethod("strip")->run({call.run, subject, call.arguments});
}

template <std::size_t kCount>
Result<Value> ReplaceFilter(const Call& call) {
  std::optional<Value> arguments[3];
  EMEND_ASSIGN_OR_RETURN(const Value subject, StringFilter({call.run, call.subject, {}}));
  for (std::size_t i = 0; i < kCount; ++i) {
    EMEND_ASSIGN_OR_RETURN(arguments[i], StringFilter({call.run, call.Argument(i), {}}));
  }
  if (call.Has(kCount)) arguments[kCount] = call.Argument(kCount);
  return FindMethod("replace")->run({call.run, subject, arguments});
}

// The width of a level: a number of spaces, or a text.
Result<std::optional<std::string>> IndentOf(const Call& call, std::size_t i) {
  if (call.Has(i) && call.Argument(i).text() != nullptr) return call.Text(i);
  EMEND_ASSIGN_OR_RETURN(const std::int64_t width, call.Integer(i, -1));
  if (width > kIndentMax)
    return ResourceExhausted("an indent of " + std::to_string(width) + "; at most " +
                             std::to_string(kIndentMax) + " are allowed");
  if (width < 0 && (!call.Has(i) || call.Argument(i).IsNone())) return std::optional<std::string>();
  return std::optional(
      std::string(static_cast<std::size_t>(std::max<std::int64_t>(0, width)), ' '));
}

Result<Value> IndentFilter(const Call& call) {
  if (call.subject.text() == nullptr)
    return Failed("indenting " + std::string(call.subject.KindName()));
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> given, IndentOf(call, 0));
  const std::string indent = given.value_or("    ");
  const bool indents_blank = call.IsTrue(2);
  std::string text = call.IsTrue(1) ? indent : "";
  EMEND_RETURN_IF_ERROR(call.run.Work(call.subject.text()->size() * 2));
  const std::string ended = *call.subject.text() + "\n";
  const std::vector<std::string_view> lines = SplitLines(ended);
  EMEND_RETURN_IF_ERROR(call.run.Work(lines.size() * (indent.size() + kElementBytes)));
  for (const std::string_view& line : lines) {
    if (&line != &lines.front()) text += '\n';
    if (&line != &lines.front() && (indents_blank || !line.empty())) text += indent;
    text += line;
  }
  return call.run.MakeText(std::move(text));
}

Result<Value> ToJsonFilter(const Call& call) {
  JsonStyle style;
  style.escapes_non_ascii = call.IsTrue(0);
  style.sorts_keys = call.IsTrue(3);
  EMEND_ASSIGN_OR_RETURN(style.indent, IndentOf(call, 1));
  if (call.Has(2) && !call.Argument(2).IsNone()) {
    EMEND_ASSIGN_OR_RETURN(const Values separators, call.run.Elements(call.Argument(2)));
    if (separators.size() != 2 || !separators[0].text() || !separators[1].text())
      return Failed("expected two texts as the separators of JSON");
    style.item_separator = *separators[0].text();
    style.key_separator = *separators[1].text();
  }
  EMEND_ASSIGN_OR_RETURN(std::string written, ToJson(call.subject, style));
  return call.run.MakeText(std::move(written));
}

constexpr Builtin kTextFilters[] = {
    {"upper", "", CaseFilter<LetterCase::kUpper>},
    {"lower", "", CaseFilter<LetterCase::kLower>},
    {"capitalize", "", CaseFilter<LetterCase::kCapitalized>},
    {"title", "", CaseFilter<LetterCase::kTitleFilter>},
    {"trim", "chars?", TrimFilter},
    {"string", "", StringFilter},
    {"safe", "", SafeFilter},
    {"replace", "old new count?", ReplaceFilter<2>},
    {"indent", "width? first? blank?", IndentFilter},
    {"tojson", "ensure_ascii? indent? separators? sort_keys?", ToJsonFilter}};

}  // namespace

std::span<const Builtin> TextFilters() { return kTextFilters; }

}  // namespace emend::worker::chat
