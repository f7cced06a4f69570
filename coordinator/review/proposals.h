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
// Of scope propose. An open one of the same branches is answered with instead, under the new title
// and text where they were given, which is its author's to do, or takes the scope merge.
// kFailedPrecondition ("no_branch", "nothing_to_merge"); kInvalidArgument for a title that is not
// one line of kTitleCharactersMax characters.
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
// kPermissionDenied ("own_change") for an approval by one of its makers, unless it takes a request
// for changes back, which is all that it does then; kFailedPrecondition ("not_open");
// kFailedPrecondition ("too_many_reviews") beyond kReviewsMax and kNotesMax; kInvalidArgument for a
// note on an edit that is not of it, and for a review that says nothing.
Result<Review> PutReview(Journal& journal, const Caller& caller, const RepoName& repo,
                         const NewReview& wanted);

// Of scope propose, and for what another has opened of scope merge, too. kFailedPrecondition
// ("not_open").
Status CloseProposal(Journal& journal, const Caller& caller, const RepoName& repo,
                     std::uint64_t number);

// An open proposal becomes merged or closed, by the transaction's principal; part of that
// transaction. `proposal` says the merge, its revision and its approvers.
Status EndProposal(storage::records::Transaction& transaction,
                   const storage::history::Repository& repository, Proposal proposal,
                   ProposalState state);

struct ProposalFilter {
  bool open_only = false;
  std::uint64_t before = 0;  // older ones alone; 0: all
  std::size_t count_max = 0;
};
// Newest first.
Result<std::vector<Proposal>> ListProposals(const storage::history::Repository& repository,
                                            const ProposalFilter& filter);

}  // namespace emend::coordinator::review
