// What people do with proposals: open one, say what they think of it, close it. Merging is an
// operation (coordinator/operations), since what it gives is measured first.
//
//   EMEND_ASSIGN_OR_RETURN(const Proposal opened, OpenProposal(journal, caller, RepoName("atlas"),
//       {.title = "New seats", .source = "seats", .target = "main"}));
//   EMEND_ASSIGN_OR_RETURN(const Review said, PutReview(journal, caller, RepoName("atlas"),
//       {.proposal = opened.number, .revision = seen, .verdict = Verdict::kApprove}));
//
// Each is one transaction, and audited. Blocks. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "coordinator/review/records.h"

namespace emend::coordinator::review {

using answers::Caller;
using storage::records::Journal;

struct NewProposal {
  std::string title;  // empty: the newest commit's first line
  std::string text;
  std::string source;
  std::string target;
};
// Of scope propose. An open one of the same branches is answered with instead, under its new title
// and text where they were given. kNotFound for a branch; kInvalidArgument for one onto itself;
// kFailedPrecondition ("nothing_to_merge").
Result<Proposal> OpenProposal(Journal& journal, const Caller& caller, const RepoName& repo,
                              const NewProposal& wanted);

struct NewReview {
  std::uint64_t proposal = 0;
  Digest revision;  // that was looked at
  Verdict verdict = Verdict::kComment;
  std::string text;
  std::vector<FactNote> facts;
};
// Of scope review. kConflict ("stale_revision") if the proposal has changed since it was looked at;
// kPermissionDenied ("own_change") for a verdict of somebody who had a hand in it;
// kFailedPrecondition ("not_open"); kInvalidArgument for a note on an edit that is not of it, and
// for a review that says nothing.
Result<Review> PutReview(Journal& journal, const Caller& caller, const RepoName& repo,
                         const NewReview& wanted);

// Whoever opened it, or who has the scope merge. kFailedPrecondition ("not_open").
Status CloseProposal(Journal& journal, const Caller& caller, const RepoName& repo,
                     std::uint64_t number);

// An open proposal becomes merged or closed, by the transaction's principal: part of it.
Status EndProposal(storage::records::Transaction& transaction,
                   const storage::history::Repository& repository, Proposal proposal,
                   ProposalState state);

// Newest first, those before `before` (0: all).
Result<std::vector<Proposal>> ListProposals(const storage::history::Repository& repository,
                                            std::uint64_t before, std::size_t count_max);

}  // namespace emend::coordinator::review
