// Rules of protection (storage/history/protection.h), as their keepers see them.
//
// Blocks. Thread-safe.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "storage/history/protection.h"

namespace emend::coordinator::review {

// What a rule can require, percent of each (docs/reference/glossary.md).
// "probes": of what the target says of the repo's suites (probes.h), how much the merge still says.
inline constexpr std::array<const char*, 7> kMeasures = {"es",   "ps",    "ns",    "score",
                                                         "kept", "taken", "probes"};

// Of scope admin, and audited. In place of the rule of this pattern, if there is one.
// kInvalidArgument for a pattern that fits no name, more than kApprovalsMax approvals, and a
// percentage that is none.
Result<storage::history::Protection> PutRule(storage::records::Journal& journal,
                                             const answers::Caller& caller, const RepoName& repo,
                                             storage::history::Protection rule);
// Of scope admin, and audited. kNotFound.
Status RemoveRule(storage::records::Journal& journal, const answers::Caller& caller,
                  const RepoName& repo, const std::string& pattern);
Result<std::vector<storage::history::Protection>> ListRules(
    const storage::history::Repository& repository);

}  // namespace emend::coordinator::review
