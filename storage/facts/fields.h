// The fields of a fact, once: what files, requests and the command line call them, their shape and
// their bounds. A field that is not here is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/objects/fact.h"

namespace emend::storage::facts {

// Bounds, of files and requests alike.
inline constexpr std::size_t kPromptBytesMax = 4096;
inline constexpr std::size_t kSubjectBytesMax = 1024;
inline constexpr std::size_t kTargetBytesMax = 1024;
inline constexpr std::size_t kNameBytesMax = 256;  // id, relation, language
// items of one list: paraphrases, neighbours or portability
inline constexpr std::size_t kProbesMax = 256;

struct Draft;
struct Field;
struct Probe;

// What a list holds: texts alone, or objects of a prompt and its target among them.
enum class Items : std::uint8_t { kTexts, kNeighbours };

// One text, or a list.
struct FieldRow {
  std::string_view name;
  Field Draft::* text = nullptr;
  std::vector<Probe> Draft::* list = nullptr;
  Items items = Items::kTexts;
  bool required = false;
};

// In the order in which a fact is written.
std::span<const FieldRow> Fields();
// Null if a fact has no such field. "neighbors" is "neighbours", too.
const FieldRow* FindField(std::string_view name);
// "id, prompt, subject, ...".
const std::string& FieldNames();

// "subject_last", "insert", "none".
std::string_view NameOf(objects::Lookup lookup);
std::string_view NameOf(objects::FactKind kind);
std::string_view NameOf(text::Join join);

}  // namespace emend::storage::facts
