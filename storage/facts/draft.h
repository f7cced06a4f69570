// A fact on its way in: texts with the names that their source gives them, not yet checked.
//
// Readers of the several forms fill a Draft; CheckDraft makes the Fact or says, field by field, why
// not. Thread-safety: values and free functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/facts/fields.h"
#include "storage/objects/fact.h"

namespace emend::storage::facts {

struct Field {
  std::string name;  // as the source calls it: "requested_rewrite.target_new.str"
  std::string text;  // empty: absent
};

struct Probe {
  Field prompt;
  Field target = {};  // of a neighbour that says it
};

struct Draft {
  Field id = {"id", ""};
  Field prompt = {"prompt", ""};
  Field subject = {"subject", ""};
  Field target = {"target", ""};
  Field old_target = {"old_target", ""};
  Field relation = {"relation", ""};
  Field language = {"language", ""};
  std::vector<Probe> paraphrases;
  std::vector<Probe> neighbours;
  std::vector<Probe> portability;
  Field lookup = {"lookup", ""};
  // absent: replace where there is an old target, else insert
  Field kind = {"kind", ""};
  Field join = {"join", ""};
  // The prompt may have the subject written out where "{}" would stand.
  bool subject_may_be_written_out = true;
};

// Told what is wrong, with the name of the field.
using Complain = std::function<void(const std::string& field, const std::string& message)>;

// Nothing if a field is wrong; `complain` was then told of all that are.
std::optional<objects::Fact> CheckDraft(const Draft& draft, const Complain& complain);

// `text` between quotes, shortened: what a message shows of it.
std::string Quote(std::string_view text);

}  // namespace emend::storage::facts
