// What review keeps: proposals, what was said of them, and what was measured of them. All of it
// lies under the repo's id, and goes with the repo.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/digest.h"
#include "storage/history/repository.h"
#include "storage/records/record_table.h"

namespace emend::coordinator::review {

using storage::records::Principal;

// Stored: never renumber.
enum class ProposalState : std::uint8_t { kOpen = 1, kMerged = 2, kClosed = 3 };
constexpr ProposalState LastOf(ProposalState) { return ProposalState::kClosed; }
std::string_view ProposalStateName(ProposalState state);

// That a branch's difference to another shall become the other's.
struct Proposal {
  std::uint64_t number = 0;  // in its repo, from 1
  std::string title;
  std::string text;
  std::string source;  // branches
  std::string target;
  Principal author;
  std::int64_t created_ms = 0;  // Unix epoch, as all times here
  ProposalState state = ProposalState::kOpen;
  // once it is over
  std::string ended_by;
  std::int64_t ended_ms = 0;
  // once it is merged, else zero and empty: as what, and by whose word
  CommitId merged = {};
  Digest revision = {};
  std::vector<std::string> approvers = {};

  static constexpr RecordHead kHead = {RecordType::kProposal, 1};
  static auto Fields(auto& m) {
    return std::tie(m.number, m.title, m.text, m.source, m.target, m.author, m.created_ms, m.state,
                    m.ended_by, m.ended_ms, m.merged, m.revision, m.approvers);
  }
  friend bool operator==(const Proposal&, const Proposal&) = default;
};

// Stored: never renumber.
enum class Verdict : std::uint8_t { kComment = 1, kApprove = 2, kRequestChanges = 3 };
constexpr Verdict LastOf(Verdict) { return Verdict::kRequestChanges; }
std::string_view VerdictName(Verdict verdict);

// Bounds of what people write.
inline constexpr std::size_t kTitleCharactersMax = 200;
inline constexpr std::size_t kNotesMax = 100;     // of one review
inline constexpr std::size_t kReviewsMax = 1000;  // of one proposal

// What somebody says of one fact of a proposal.
struct FactNote {
  EditId edit;
  std::string text;
  static auto Fields(auto& m) { return std::tie(m.edit, m.text); }
  friend bool operator==(const FactNote&, const FactNote&) = default;
};

struct Review {
  std::uint64_t proposal = 0;
  std::uint64_t index = 0;  // among the proposal's, from 1
  Digest revision;          // that it is about (standing.h)
  Principal principal;
  std::int64_t time_ms = 0;
  Verdict verdict = Verdict::kComment;
  std::string text;
  std::vector<FactNote> facts;

  static constexpr RecordHead kHead = {RecordType::kReview, 1};
  static auto Fields(auto& m) {
    return std::tie(m.proposal, m.index, m.revision, m.principal, m.time_ms, m.verdict, m.text,
                    m.facts);
  }
  friend bool operator==(const Review&, const Review&) = default;
};

// What was measured of what a merge would give. It holds for these two heads alone.
struct Check {
  std::uint64_t proposal = 0;
  Digest revision;
  CommitId source;
  CommitId target;
  StateId state;  // of the merge
  Digest probes;  // of the suites that were asked (probes.h)
  std::int64_t time_ms = 0;
  std::map<std::string, double> measured = {};  // percent by measure; NaN: nothing to measure
  // the facts that come, on the target and on the merge; none come: none
  std::optional<storage::objects::Evaluation> before = {};
  std::optional<storage::objects::Evaluation> after = {};
  std::string evidence = {};  // JSON (docs/reference/review.md)

  static constexpr RecordHead kHead = {RecordType::kCheck, 1};
  static auto Fields(auto& m) {
    return std::tie(m.proposal, m.revision, m.source, m.target, m.state, m.probes, m.time_ms,
                    m.measured, m.before, m.after, m.evidence);
  }
};

using storage::objects::RepoId;
using storage::records::RecordTable;

// Newest first.
RecordTable<Proposal> Proposals(const RepoId& repo);
std::string ProposalKey(std::uint64_t number);
// Of each proposal in the order they were given: their keys begin with the proposal's.
RecordTable<Review> Reviews(const RepoId& repo);
std::string ReviewKey(std::uint64_t proposal, std::uint64_t index);
// The newest of each proposal, by its key.
RecordTable<Check> Checks(const RepoId& repo);

}  // namespace emend::coordinator::review
