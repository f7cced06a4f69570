#include "coordinator/review/records.h"

#include <array>
#include <limits>

namespace emend::coordinator::review {
namespace {

using storage::kv::ColumnFamily;

// Keys sort as numbers do.
std::string SortableKey(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string key;
  for (int shift = 60; shift >= 0; shift -= 4) key.push_back(kDigits[number >> shift & 0xf]);
  return key;
}

}  // namespace

std::string_view ProposalStateName(ProposalState state) {
  constexpr std::array<std::string_view, 3> kNames = {"open", "merged", "closed"};
  return kNames.at(static_cast<std::size_t>(state) - 1);
}

std::string_view VerdictName(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kNames = {"comment", "approve", "request_changes"};
  return kNames.at(static_cast<std::size_t>(verdict) - 1);
}

RecordTable<Proposal> Proposals(const RepoId& repo) {
  return {ColumnFamily::kProposals, repo.value() + "proposal/", "a proposal"};
}
std::string ProposalKey(std::uint64_t number) {
  return SortableKey(std::numeric_limits<std::uint64_t>::max() - number);
}

RecordTable<Review> Reviews(const RepoId& repo) {
  return {ColumnFamily::kReviews, repo.value(), "a review"};
}
std::string ReviewKey(std::uint64_t proposal, std::uint64_t index) {
  return ProposalKey(proposal) + SortableKey(index);
}

RecordTable<Check> Checks(const RepoId& repo) {
  return {ColumnFamily::kProposals, repo.value() + "check/", "the check of a proposal"};
}

}  // namespace emend::coordinator::review
