#include "api/facts/draft.h"

#include <algorithm>
#include <utility>

#include "storage/base/log.h"

namespace emend::api::facts {
namespace {

using storage::objects::Fact;
using storage::objects::FactKind;

constexpr std::string_view kSlot = "{}";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kQuotedBytesMax = 60;
constexpr std::size_t kNameBytesMax = 256;  // relation, language, id

std::string_view TrimRight(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::vector<std::size_t> Occurrences(std::string_view text, std::string_view what) {
  std::vector<std::size_t> places;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size()))
    places.push_back(at);
  return places;
}

// ASCII letters and digits and every byte of a longer character; enough to tell "Rome" in "in Rome
// is" from that in "Romeo".
bool IsWordByte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= 0x80 || (value >= '0' && value <= '9') || (value >= 'A' && value <= 'Z') ||
         (value >= 'a' && value <= 'z');
}

bool StandsAlone(std::string_view text, std::size_t at, std::size_t size) {
  const bool before = at > 0 && IsWordByte(text[at - 1]);
  const bool behind = at + size < text.size() && IsWordByte(text[at + size]);
  return !before && !behind;
}

std::string WithSlot(std::string_view text, std::size_t at, std::size_t size) {
  return std::string(text.substr(0, at)).append(kSlot).append(text.substr(at + size));
}

class Checker {
 public:
  Checker(std::size_t row, ProblemList* problems) : row_(row), problems_(*problems) {}

  // The text if it may be used, else empty and a problem.
  std::string Text(const Field& field, std::string_view text, std::size_t bytes_max) {
    if (text.empty()) return Fail(field, "is empty");
    if (text.size() > bytes_max)
      return Fail(field, "has " + std::to_string(text.size()) + " bytes; at most " +
                             std::to_string(bytes_max) + " are allowed");
    const auto control = std::find_if(text.begin(), text.end(), [](char byte) {
      const auto value = static_cast<unsigned char>(byte);
      return (value < 0x20 && byte != '\n' && byte != '\t') || value == 0x7f;
    });
    if (control == text.end()) return std::string(text);
    return Fail(field, "has a control character (" + std::to_string(static_cast<int>(*control)) +
                           ") at byte " + std::to_string(control - text.begin()));
  }

  std::string OptionalText(const Field& field, std::size_t bytes_max) {
    const std::string_view text = Trim(field.text);
    return text.empty() ? std::string() : Text(field, text, bytes_max);
  }

  std::string Prompt(const Field& field, std::string_view subject, SubjectIn subject_in) {
    std::string text = Text(field, TrimRight(field.text), kPromptBytesMax);
    if (text.empty()) return text;
    const std::size_t slots = Occurrences(text, kSlot).size();
    if (slots == 1) return text;
    if (slots > 1)
      return Fail(field, "has " + std::to_string(slots) +
                             " \"{}\"; expected one, in the place of the subject");
    if (subject_in == SubjectIn::kTemplate)
      return Fail(field, "has no \"{}\" in the place of the subject");
    return subject.empty() ? std::string() : ReplaceSubject(field, text, subject);
  }

  std::vector<std::string> Probes(const std::vector<Field>& fields, std::string_view subject) {
    std::vector<std::string> probes;
    if (fields.size() > kProbesPerFactMax) {
      Fail(fields.front(), "is one of " + std::to_string(fields.size()) + "; at most " +
                               std::to_string(kProbesPerFactMax) + " are allowed");
      return probes;
    }
    for (const Field& field : fields)
      probes.push_back(Filled(Text(field, TrimRight(field.text), kPromptBytesMax), subject));
    return probes;
  }

  std::string Fail(const Field& field, std::string message) {
    problems_.Add(row_, field.name, std::move(message));
    return {};
  }

 private:
  std::string ReplaceSubject(const Field& field, std::string_view text, std::string_view subject) {
    std::vector<std::size_t> places = Occurrences(text, subject);
    if (places.empty())
      return Fail(field, "has neither \"{}\" nor the subject " + ProblemList::Quote(subject) +
                             ": " + ProblemList::Quote(text));
    if (places.size() > 1)
      std::erase_if(places, [&](std::size_t at) { return !StandsAlone(text, at, subject.size()); });
    if (places.size() == 1) return WithSlot(text, places.front(), subject.size());
    return Fail(field, "has the subject " + ProblemList::Quote(subject) +
                           " more than once; write \"{}\" in the place that is meant");
  }

  static std::string Filled(std::string text, std::string_view subject) {
    const std::size_t at = text.find(kSlot);
    return at == std::string::npos ? text : text.replace(at, kSlot.size(), subject);
  }

  std::size_t row_;
  ProblemList& problems_;
};

}  // namespace

std::string_view Trim(std::string_view text) {
  text = TrimRight(text);
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

void ProblemList::Add(std::size_t row, std::string field, std::string message) {
  ++count_;
  if (kept_.size() < kProblemsKeptMax) kept_.push_back({row, std::move(field), std::move(message)});
}

std::string ProblemList::Quote(std::string_view text) {
  if (text.size() <= kQuotedBytesMax) return JsonQuote(text);
  std::size_t end = kQuotedBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return JsonQuote(std::string(text.substr(0, end)) + "...");
}

std::optional<Fact> CheckDraft(Draft draft, std::size_t row, ProblemList* problems) {
  const std::size_t before = problems->count();
  Checker check(row, problems);
  Fact fact;
  fact.subject = check.Text(draft.subject, Trim(draft.subject.text), kSubjectBytesMax);
  if (fact.subject.find(kSlot) != std::string::npos) check.Fail(draft.subject, "contains \"{}\"");
  fact.prompt = check.Prompt(draft.prompt, fact.subject, draft.subject_in);
  fact.target = check.Text(draft.target, Trim(draft.target.text), kTargetBytesMax);
  if (draft.old_target.has_value() && !Trim(draft.old_target->text).empty()) {
    fact.old_target = check.Text(*draft.old_target, Trim(draft.old_target->text), kTargetBytesMax);
  }
  fact.id = check.OptionalText({"id", std::move(draft.id)}, kNameBytesMax);
  fact.relation = check.OptionalText(draft.relation, kNameBytesMax);
  fact.language = check.OptionalText(draft.language, kNameBytesMax);
  fact.paraphrases = check.Probes(draft.paraphrases, fact.subject);
  fact.neighbours = check.Probes(draft.neighbours, fact.subject);
  fact.portability = check.Probes(draft.portability, fact.subject);
  fact.lookup = draft.lookup;
  fact.kind =
      draft.kind.value_or(fact.old_target.has_value() ? FactKind::kReplace : FactKind::kInsert);
  if (problems->count() != before) return std::nullopt;
  return fact;
}

}  // namespace emend::api::facts
