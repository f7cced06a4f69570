#include "storage/facts/draft.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "storage/text/slot.h"
#include "storage/text/unicode.h"

namespace emend::storage::facts {
namespace {

using objects::Fact;
using objects::FactKind;
using objects::Lookup;
using text::Join;
using text::kSlot;
using text::Neighbour;

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
  const bool after = at + size < text.size() && IsWordByte(text[at + size]);
  return !before && !after;
}

std::string WithSlot(std::string_view text, std::size_t at, std::size_t size) {
  return std::string(text.substr(0, at)).append(kSlot).append(text.substr(at + size));
}

class Checker {
 public:
  explicit Checker(const Complain& complain) : complain_(complain) {}
  bool ok() const { return ok_; }

  // Without white space at its ends. Empty with a complaint if the text may not be used, or is
  // missing although it is needed.
  std::string Needed(const Field& field, std::size_t bytes_max) {
    if (text::Trim(field.text).empty()) return Fail(field, "is empty");
    return Optional(field, bytes_max);
  }
  std::string Optional(const Field& field, std::size_t bytes_max) {
    return Checked(field, text::Nfc(text::Trim(field.text)), bytes_max);
  }

  std::string Prompt(const Field& field, std::string_view subject, bool may_be_written_out) {
    if (text::Trim(field.text).empty()) return Fail(field, "is empty");
    std::string prompt = Checked(field, text::Nfc(field.text), kPromptBytesMax);
    if (prompt.empty()) return prompt;
    const std::size_t slots = text::CountSlots(prompt);
    if (slots == 1) return prompt;
    if (slots > 1)
      return Fail(field, "has " + std::to_string(slots) +
                             " \"{}\"; expected one, in the place of the subject");
    if (!may_be_written_out) return Fail(field, "has no \"{}\" in the place of the subject");
    return subject.empty() ? std::string() : ReplaceSubject(field, prompt, subject);
  }

  // Whole prompts; empty ones are absent.
  std::vector<Neighbour> Neighbours(const std::vector<Probe>& probes, std::string_view subject) {
    std::vector<Neighbour> neighbours;
    if (probes.size() > kProbesMax) {
      Fail(probes.front().prompt, "is one of " + std::to_string(probes.size()) + "; at most " +
                                      std::to_string(kProbesMax) + " are allowed");
      return neighbours;
    }
    for (const Probe& probe : probes) {
      std::string target = Optional(probe.target, kTargetBytesMax);
      if (!text::Trim(probe.prompt.text).empty()) {
        const std::string prompt =
            Checked(probe.prompt, text::Nfc(probe.prompt.text), kPromptBytesMax);
        neighbours.push_back({text::FillSlot(prompt, subject), std::move(target)});
      } else if (!target.empty()) {
        Fail(probe.prompt, "is empty, and there is a target for it");
      }
    }
    return neighbours;
  }
  std::vector<std::string> Probes(const std::vector<Probe>& probes, std::string_view subject) {
    std::vector<std::string> prompts;
    for (Neighbour& probe : Neighbours(probes, subject)) prompts.push_back(std::move(probe.prompt));
    return prompts;
  }

  template <typename Enum>
  Enum Word(const Field& field, std::initializer_list<Enum> values, Enum absent) {
    const std::string_view word = text::Trim(field.text);
    if (word.empty()) return absent;
    std::string names;
    for (const Enum value : values) {
      if (NameOf(value) == word) return value;
      names.append(names.empty() ? "" : ", ").append(NameOf(value));
    }
    Fail(field, "is " + Quote(word) + "; expected one of " + names);
    return absent;
  }

  std::string Fail(const Field& field, const std::string& message) {
    ok_ = false;
    complain_(field.name, message);
    return {};
  }

 private:
  std::string Checked(const Field& field, std::string text, std::size_t bytes_max) {
    if (text.size() > bytes_max)
      return Fail(field, "has " + std::to_string(text.size()) + " bytes; at most " +
                             std::to_string(bytes_max) + " are allowed");
    if (const auto invisible = text::FirstInvisible(text)) {
      return Fail(field, "has the character " + text::NameOf(invisible->character) +
                             ", which nobody sees, at byte " + std::to_string(invisible->byte) +
                             ": " + Quote(text) + "; take it out");
    }
    return text;
  }

  std::string ReplaceSubject(const Field& field, std::string_view text, std::string_view subject) {
    std::vector<std::size_t> places = Occurrences(text, subject);
    if (places.empty())
      return Fail(field,
                  "has neither \"{}\" nor the subject " + Quote(subject) + ": " + Quote(text));
    if (places.size() > 1)
      std::erase_if(places, [&](std::size_t at) { return !StandsAlone(text, at, subject.size()); });
    if (places.size() == 1) return WithSlot(text, places.front(), subject.size());
    return Fail(field, "has the subject " + Quote(subject) +
                           " more than once; write \"{}\" in the place that is meant");
  }

  const Complain& complain_;
  bool ok_ = true;
};

}  // namespace

std::string Quote(std::string_view text) { return JsonQuote(Shortened(text)); }

std::optional<Fact> CheckDraft(const Draft& draft, const Complain& complain) {
  Checker check(complain);
  Fact fact;
  fact.subject = check.Needed(draft.subject, kSubjectBytesMax);
  if (fact.subject.find(kSlot) != std::string::npos) check.Fail(draft.subject, "contains \"{}\"");
  fact.prompt = check.Prompt(draft.prompt, fact.subject, draft.subject_may_be_written_out);
  fact.target = check.Needed(draft.target, kTargetBytesMax);
  std::string old_target = check.Optional(draft.old_target, kTargetBytesMax);
  if (!old_target.empty() && old_target == fact.target)
    check.Fail(draft.old_target, "is the target: there is nothing to change; leave the fact out");
  if (!old_target.empty()) fact.old_target = std::move(old_target);
  fact.id = check.Optional(draft.id, kNameBytesMax);
  fact.relation = check.Optional(draft.relation, kNameBytesMax);
  fact.language = check.Optional(draft.language, kNameBytesMax);
  fact.paraphrases = check.Probes(draft.paraphrases, fact.subject);
  fact.neighbours = check.Neighbours(draft.neighbours, fact.subject);
  fact.portability = check.Probes(draft.portability, fact.subject);
  fact.lookup = check.Word(draft.lookup, {Lookup::kSubjectLast, Lookup::kLast, Lookup::kSpan},
                           Lookup::kSubjectLast);
  fact.kind = check.Word(
      draft.kind, {FactKind::kReplace, FactKind::kInsert, FactKind::kRefuse, FactKind::kForget},
      fact.old_target ? FactKind::kReplace : FactKind::kInsert);
  fact.join = check.Word(draft.join, {Join::kByText, Join::kNone, Join::kSpace}, Join::kByText);
  if (!check.ok()) return std::nullopt;
  return fact;
}

}  // namespace emend::storage::facts
