// A fact: what an edit is about. Stored inside edits; field names follow the CounterFact and
// KnowEdit data sets where they have one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/archive.h"
#include "storage/text/join.h"
#include "storage/text/neighbour.h"

namespace emend::storage::objects {

// Which token of the prompt carries the subject's association. Stored: never renumber.
enum class Lookup : std::uint8_t { kSubjectLast = 1, kLast = 2, kSpan = 3 };
constexpr Lookup LastOf(Lookup) { return Lookup::kSpan; }

// What the edit should do. Stored: never renumber.
enum class FactKind : std::uint8_t { kReplace = 1, kInsert = 2, kRefuse = 3, kForget = 4 };
constexpr FactKind LastOf(FactKind) { return FactKind::kForget; }

struct Fact {
  std::string id;  // the source's own id ("counterfact/93"), may be empty
  // with exactly one "{}" where the subject goes: "The mother tongue of {} is"
  std::string prompt;
  std::string subject;                    // "Danielle Darrieux"
  std::string target;                     // what the model shall say: "English"
  std::optional<std::string> old_target;  // what it says now: "French"
  std::string relation;                   // "P103", may be empty
  std::string language;                   // BCP 47, may be empty
  // whole prompts, subject written out: must answer the target
  std::vector<std::string> paraphrases;
  // about other subjects: must go on answering their own target, or else the old target
  std::vector<text::Neighbour> neighbours;
  // whole prompts whose answers follow from the fact; measured, never trained on
  std::vector<std::string> portability;
  Lookup lookup = Lookup::kSubjectLast;
  FactKind kind = FactKind::kReplace;
  // between a prompt, whichever of them, and its answer
  text::Join join = text::Join::kByText;

  // of its own inside other records, so that a fact's format can move on its own
  static constexpr RecordHead kHead = {RecordType::kFact, 3};
  static auto Fields(auto& m) {
    return std::tie(m.id, m.prompt, m.subject, m.target, m.old_target, m.relation, m.language,
                    m.paraphrases, m.neighbours, m.portability, m.lookup, m.kind, m.join);
  }
  friend bool operator==(const Fact&, const Fact&) = default;
};

// What two facts compete for: one slot holds one target. (subject, relation or else the prompt
// template, language)
struct Slot {
  std::string subject;
  std::string relation_or_prompt;
  std::string language;
  friend auto operator<=>(const Slot&, const Slot&) = default;
};
inline Slot SlotOf(const Fact& fact) {
  return {fact.subject, fact.relation.empty() ? fact.prompt : fact.relation, fact.language};
}

}  // namespace emend::storage::objects
