// A fact as JSON: what requests hold, what files of plain fields hold, and what the API shows.
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "storage/facts/draft.h"
#include "storage/json/value.h"
#include "storage/objects/fact.h"

namespace emend::storage::facts {

// The fields of an object. Complains of fields that a fact has not, and of values of a wrong type.
// A text may be a number; a list may be one item, or lists of items; null is absent.
Draft ReadDraft(json::Value object, const Complain& complain);

// A text or a number as the text it was written with; a field without a text if it is neither,
// which is a complaint unless it is null or absent.
Field TextIn(json::Value value, std::string path, const Complain& complain);
// The texts of a list, at any of three depths, or a single one.
std::vector<Field> TextsIn(json::Value value, const std::string& path, const Complain& complain);
// The same as prompts; a neighbour may be an object of "prompt" and "target".
std::vector<Probe> ProbesIn(json::Value value, const std::string& path, Items items,
                            const Complain& complain);

// In the order of the fields, empty ones left out.
std::string FactToJson(const objects::Fact& fact);
// A list of them.
std::string FactsToJson(const std::vector<objects::Fact>& facts);

}  // namespace emend::storage::facts
