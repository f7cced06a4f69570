// Protection: which branches move only through review.
//
// A rule covers the branches whose names fit its pattern. What several rules ask of one branch is
// all asked of it. A covered branch moves through Door::kReview alone: nobody's word, whatever its
// scope, moves it, and it is not deleted. A branch or a tag of a covered name is made only where a
// branch is of which as much is asked: what is there has gone, or could have gone, the same way.
// Rules lie under the repo's id and go with the repo.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/history/repository.h"
#include "storage/records/record_table.h"

namespace emend::storage::history {

inline constexpr std::uint32_t kApprovalsMax = 10;

struct Protection {
  std::string pattern;          // of branch names: "main", "release/*"; a star is any characters
  std::uint32_t approvals = 1;  // by others than who made the change
  // percent by measure ("taken", "kept", ...), of the facts that a proposal changes
  std::map<std::string, double> required;
  std::string principal;
  std::int64_t created_ms = 0;  // Unix epoch

  static constexpr RecordHead kHead = {RecordType::kProtection, 1};
  static auto Fields(auto& m) {
    return std::tie(m.pattern, m.approvals, m.required, m.principal, m.created_ms);
  }
  friend bool operator==(const Protection&, const Protection&) = default;
};

// A ref's name in which stars may stand; kInvalidArgument says what is wrong.
Status CheckPattern(std::string_view pattern);
bool Fits(std::string_view pattern, std::string_view branch);

// By pattern.
records::RecordTable<Protection> Protections(const objects::RepoId& repo);

// All that is asked of the branch, as one rule; none: it moves freely. Blocks.
Result<std::optional<Protection>> FindProtection(kv::KvStore& store, const objects::RepoId& repo,
                                                 std::string_view branch);
// Whether `rule` asks all that `other` asks.
bool AsksAll(const Protection& rule, const Protection& other);
// kPermissionDenied ("protected_branch") if it is covered, and says how it moves.
Status CheckUnprotected(kv::KvStore& store, const RepoRecord& repo, std::string_view branch);

}  // namespace emend::storage::history
