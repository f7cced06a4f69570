// Fact files: what a person hands in ("these 100 facts") as checked storage::objects::Fact values.
//
// The forms that data sets come in are recognised by their content, not by the file's name:
// CounterFact's original records, its flat form and KnowEdit's (both by EasyEdit), zsRE in MEND's
// form, and plain fields (prompt, subject, target, ...) as CSV or as JSON objects. README.md here
// shows each.
//
//   EMEND_ASSIGN_OR_RETURN(FactFile file, ParseFactFile(bytes, "facts.csv", {.limit = 100}));
//   Commit(file.facts);
//
// Every selected row is checked, and by default one bad row refuses the whole file: the Status
// names the file and lists rows and fields.
//
// Thread-safety: free functions without state. Ownership: the input is only borrowed. Nothing
// blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/objects/fact.h"

namespace emend::api::facts {

enum class FactFormat : std::uint8_t {
  kAuto,  // by content
  // JSON: requested_rewrite {prompt with "{}", subject, target_new, target_true},
  // paraphrase_prompts, neighborhood_prompts
  kCounterFact,
  // JSON: prompt (subject written out), subject, target_new, ground_truth, rephrase_prompt,
  // locality_prompt, locality_ground_truth
  kEasyEdit,
  kKnowEdit,  // JSON: as kEasyEdit, with groups of probes under "portability" and "locality"
  // JSON: src (subject written out), subject, alt (the target), answers, rephrase, loc
  kZsre,
  kJsonl,  // JSON objects with the plain fields: one a line, in a list, or one alone
  kCsv,    // RFC 4180 with a header row of plain field names
};

// "counterfact", "easyedit", "knowedit", "zsre", "jsonl", "csv"; "auto".
std::string_view FactFormatName(FactFormat format);
// kInvalidArgument lists the names.
Result<FactFormat> FactFormatFromName(std::string_view name);

enum class OnBadRow : std::uint8_t { kRefuseAll, kSkipRow };

struct ParseOptions {
  FactFormat format = FactFormat::kAuto;
  std::size_t offset = 0;  // rows to pass over
  // rows to take after them; all if absent. Rows outside the selection are not checked
  std::optional<std::size_t> limit = std::nullopt;
  OnBadRow on_error = OnBadRow::kRefuseAll;
};

// Bounds; what is over them is refused by name. Those of a fact: storage/facts/fields.h.
inline constexpr std::size_t kFactFileBytesMax = std::size_t{256} << 20;
inline constexpr std::size_t kFactRowsMax = 1'000'000;
inline constexpr std::size_t kProblemsKeptMax = 1000;

struct RowProblem {
  std::size_t row = 0;  // from 1; a CSV's header row is not counted
  std::string field;    // as the file calls it; empty if the row as a whole is wrong
  std::string message;
};

// Probes that a file gives and a fact cannot hold, by the reason.
using LeftOut = std::map<std::string, std::size_t, std::less<>>;
inline constexpr std::string_view kLeftOutWithoutAnswer =
    "locality probes without an answer of their own";
inline constexpr std::string_view kLeftOutOfTheSubject = "locality probes about the subject itself";

struct FactFile {
  FactFormat format = FactFormat::kAuto;
  std::vector<storage::objects::Fact> facts;
  std::vector<std::size_t> fact_rows;  // the row of each fact, from 1, as the file counts them
  // with OnBadRow::kSkipRow: why rows are missing from `facts`; the first kProblemsKeptMax
  std::vector<RowProblem> problems;
  std::size_t problem_count = 0;  // all of them
  std::size_t rows = 0;           // rows in the file, selected or not
  LeftOut left_out;               // of the rows that were taken
  // Neighbours that are kept and that NS cannot measure: neither they say a target nor their facts
  // an old one.
  std::size_t neighbours_without_old_target = 0;
};

// `file_name` only appears in messages. Subject and target lose white space at both ends; "{}" in a
// probe becomes the subject. kInvalidArgument with the slug
// "bad_fact_file" (not the form that it should be) or "bad_facts" (rows are wrong; the first 20
// problems and their count), kResourceExhausted over a bound. A file without a selected row is
// "no_facts".
Result<FactFile> ParseFactFile(std::string_view bytes, std::string_view file_name,
                               const ParseOptions& options = {});

}  // namespace emend::api::facts
