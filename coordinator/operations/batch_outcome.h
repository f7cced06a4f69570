// What is said of a batch that was solved: in the commits that it becomes and in results. Pure.
// Internal to coordinator/operations.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "coordinator/operations/batch.h"

namespace emend::coordinator::operations {

// The commit of a member's staged state on `parent`, by `author`: an edit, without a message.
Commit CommitOf(const Batch& run, std::size_t member, const CommitId& parent,
                const storage::records::Principal& author);
// EvidenceJson of a member.
nlohmann::ordered_json EvidenceOf(const Batch& run, std::size_t member);
// "seconds", "evaluation", what EvidenceOf says, "statistics", "settings", "layers": into a result.
// Of a member without facts: zeros, null and nothing, under the same names.
void AddSolved(const Batch& run, std::size_t member, nlohmann::ordered_json& json);

}  // namespace emend::coordinator::operations
