#include "coordinator/review/proposals.h"

#include <algorithm>

#include "coordinator/review/standing.h"
#include "coordinator/store/scope.h"
#include "storage/base/format.h"

namespace emend::coordinator::review {
namespace {

using storage::records::Transaction;

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void PutProposal(Transaction& transaction, const Repository& repository, const Proposal& proposal,
                 const char* act) {
  Proposals(repository.record().id)
      .Put(transaction.batch(), ProposalKey(proposal.number), proposal);
  transaction.Audit({act,
                     {{"repo", repository.record().name.value()},
                      {"proposal", std::to_string(proposal.number)},
                      {"source", proposal.source},
                      {"target", proposal.target}}});
}

// Of all that are open, so that the same change is not proposed twice.
Result<std::optional<Proposal>> FindOpen(const Repository& repository, const NewProposal& wanted) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Proposal> all,
                         Proposals(repository.record().id).List(repository.objects().store()));
  const auto found = std::ranges::find_if(all, [&](const Proposal& one) {
    return one.state == ProposalState::kOpen && one.source == wanted.source &&
           one.target == wanted.target;
  });
  return found == all.end() ? std::optional<Proposal>() : *found;
}

Result<std::uint64_t> NextNumber(const Repository& repository) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Proposal> newest,
                         ListProposals(repository, 0, /*count_max=*/1));
  return newest.empty() ? 1 : newest.front().number + 1;
}

Result<Proposal> NewOne(const Repository& repository, Transaction& transaction,
                        const NewProposal& wanted) {
  Proposal proposal{.title = wanted.title,
                    .text = wanted.text,
                    .source = wanted.source,
                    .target = wanted.target,
                    .author = transaction.principal(),
                    .created_ms = transaction.time_ms(),
                    .ended_by = {},
                    .merged = {}};
  EMEND_ASSIGN_OR_RETURN(proposal.number, NextNumber(repository));
  EMEND_ASSIGN_OR_RETURN(const Revision revision, ReadRevision(repository, proposal));
  if (revision.plan.kind == storage::history::MergeKind::kUpToDate) {
    return Status(StatusCode::kFailedPrecondition, "nothing_to_merge",
                  "proposing " + wanted.source + " for " + wanted.target +
                      ": it has nothing that is not there already; commit to it first");
  }
  if (!proposal.title.empty()) return proposal;
  EMEND_ASSIGN_OR_RETURN(const auto newest, repository.ReadCommit(revision.source));
  proposal.title = FirstLine(newest.message);
  return proposal;
}

Status CheckOpen(const Proposal& proposal) {
  if (proposal.state == ProposalState::kOpen) return OkStatus();
  return {StatusCode::kFailedPrecondition, "not_open",
          Format("proposal {} is {}, by {}", proposal.number, ProposalStateName(proposal.state),
                 proposal.ended_by)};
}

Status CheckReview(const Standing& standing, const NewReview& wanted, const std::string& who) {
  EMEND_RETURN_IF_ERROR(CheckOpen(standing.proposal));
  if (!standing.revision || standing.revision->id != wanted.revision) {
    return {StatusCode::kConflict, "stale_revision",
            Format("reviewing proposal {}: it was changed since revision {}; look at it again",
                   wanted.proposal, wanted.revision.Hex().substr(0, 12))};
  }
  if (wanted.verdict != Verdict::kComment && standing.revision->makers.contains(who)) {
    return {StatusCode::kPermissionDenied, "own_change",
            Format("reviewing proposal {}: {} had a hand in it, and can comment on it alone; "
                   "somebody else must judge it",
                   wanted.proposal, who)};
  }
  if (wanted.verdict != Verdict::kApprove && wanted.text.empty() && wanted.facts.empty()) {
    return InvalidArgument(
        Format("reviewing proposal {}: it says nothing; expected a text, or a "
               "note on a fact",
               wanted.proposal));
  }
  for (const FactNote& note : wanted.facts) {
    if (std::ranges::binary_search(standing.revision->plan.added, note.edit) ||
        std::ranges::binary_search(standing.revision->plan.removed, note.edit))
      continue;
    return InvalidArgument(Format("reviewing proposal {}: edit {} is none of its own",
                                  wanted.proposal, note.edit.Short()));
  }
  return OkStatus();
}

}  // namespace

Result<Proposal> OpenProposal(Journal& journal, const Caller& caller, const RepoName& repo,
                              const NewProposal& wanted) {
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "propose"));
  if (wanted.source == wanted.target)
    return InvalidArgument("proposing " + wanted.source + " for itself: expected another branch");
  Proposal proposal;
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_ASSIGN_OR_RETURN(const std::optional<Proposal> open, FindOpen(repository, wanted));
    if (!open) {
      EMEND_ASSIGN_OR_RETURN(proposal, NewOne(repository, transaction, wanted));
      PutProposal(transaction, repository, proposal, "proposal.open");
      return OkStatus();
    }
    proposal = *open;
    if (!wanted.title.empty()) proposal.title = wanted.title;
    if (!wanted.text.empty()) proposal.text = wanted.text;
    PutProposal(transaction, repository, proposal, "proposal.update");
    return OkStatus();
  };
  EMEND_RETURN_IF_ERROR(journal.Commit(caller.principal, build).status());
  return proposal;
}

Result<Review> PutReview(Journal& journal, const Caller& caller, const RepoName& repo,
                         const NewReview& wanted) {
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "review"));
  Review review{.proposal = wanted.proposal,
                .revision = wanted.revision,
                .principal = caller.principal,
                .verdict = wanted.verdict,
                .text = wanted.text,
                .facts = wanted.facts};
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_ASSIGN_OR_RETURN(const Standing standing, ReadStanding(repository, wanted.proposal));
    EMEND_RETURN_IF_ERROR(CheckReview(standing, wanted, caller.principal.name));
    review.index = standing.reviews.size() + 1;
    review.time_ms = transaction.time_ms();
    Reviews(repository.record().id)
        .Put(transaction.batch(), ReviewKey(review.proposal, review.index), review);
    transaction.Audit({"proposal.review",
                       {{"repo", repo.value()},
                        {"proposal", std::to_string(review.proposal)},
                        {"revision", review.revision.Hex()},
                        {"verdict", std::string(VerdictName(review.verdict))}}});
    return OkStatus();
  };
  EMEND_RETURN_IF_ERROR(journal.Commit(caller.principal, build).status());
  return review;
}

Status CloseProposal(Journal& journal, const Caller& caller, const RepoName& repo,
                     std::uint64_t number) {
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_ASSIGN_OR_RETURN(const Proposal proposal, ReadProposal(repository, number));
    const bool is_own = proposal.author.name == caller.principal.name;
    EMEND_RETURN_IF_ERROR(store::CheckScope(caller, is_own ? "propose" : "merge"));
    return EndProposal(transaction, repository, proposal, ProposalState::kClosed);
  };
  return journal.Commit(caller.principal, build).status();
}

Status EndProposal(Transaction& transaction, const Repository& repository, Proposal proposal,
                   ProposalState state) {
  EMEND_RETURN_IF_ERROR(CheckOpen(proposal));
  proposal.state = state;
  proposal.ended_by = transaction.principal().name;
  proposal.ended_ms = transaction.time_ms();
  PutProposal(transaction, repository, proposal,
              state == ProposalState::kMerged ? "proposal.merge" : "proposal.close");
  return OkStatus();
}

Result<std::vector<Proposal>> ListProposals(const Repository& repository, std::uint64_t before,
                                            std::size_t count_max) {
  EMEND_ASSIGN_OR_RETURN(
      std::vector<Proposal> all,
      Proposals(repository.record().id)
          .List(repository.objects().store(), "",
                before == 0 ? count_max : std::numeric_limits<std::size_t>::max()));
  if (before == 0) return all;
  std::erase_if(all, [&](const Proposal& one) { return one.number >= before; });
  if (all.size() > count_max) all.resize(count_max);
  return all;
}

}  // namespace emend::coordinator::review
