// A row of a fact file on its way to a Fact: texts with the names that the file gives them, not yet
// checked.
//
// Readers of the several forms fill a Draft; CheckDraft makes the Fact or says, field by field, why
// not. Thread-safety: values and free functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/facts/fact_file.h"
#include "storage/objects/fact.h"

namespace emend::api::facts {

struct Field {
  std::string name;  // as the file calls it: "requested_rewrite.target_new.str"
  std::string text;
};

// Where the subject stands in a Draft's prompt.
enum class SubjectIn { kTemplate, kTemplateOrText };

struct Draft {
  std::string id;
  Field prompt;
  Field subject;
  Field target;
  std::optional<Field> old_target;
  Field relation;
  Field language;
  std::vector<Field> paraphrases;
  std::vector<Field> neighbours;
  std::vector<Field> portability;
  // kTemplateOrText: the prompt may also have the subject written out
  SubjectIn subject_in = SubjectIn::kTemplate;
  storage::objects::Lookup lookup = storage::objects::Lookup::kSubjectLast;
  // if absent: replace where there is an old target, else insert
  std::optional<storage::objects::FactKind> kind;
  std::size_t locality_left_out = 0;
};

// The problems of one row, and how many a file has in all.
class ProblemList {
 public:
  void Add(std::size_t row, std::string field, std::string message);
  // Bytes that a problem's message shows of the text it is about.
  static std::string Quote(std::string_view text);

  std::size_t count() const { return count_; }
  std::vector<RowProblem>& kept() { return kept_; }

 private:
  std::vector<RowProblem> kept_;  // the first kProblemsKeptMax
  std::size_t count_ = 0;
};

// Nothing if the row has a problem; all its problems are then in `problems`.
std::optional<storage::objects::Fact> CheckDraft(Draft draft, std::size_t row,
                                                 ProblemList* problems);

// White space off both ends.
std::string_view Trim(std::string_view text);

}  // namespace emend::api::facts
