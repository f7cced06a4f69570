#include "coordinator/review/proposals.h"

#include <algorithm>
#include <set>

#include "coordinator/review/standing.h"
#include "coordinator/store/scope.h"
#include "storage/base/encoding.h"
#include "storage/base/format.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::review {
namespace {

using storage::records::AuditAct;
using storage::records::Transaction;

std::string ShortOf(const Digest& digest) { return digest.Hex().substr(0, 12); }
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// Of the open one of these branches: its number as a key.
std::string OpenKey(const Repository& repository, const std::string& source,
                    const std::string& target) {
  Encoder out;
  out.Raw(repository.record().id.value());
  out.Raw("open/");
  out.Text(source);
  out.Text(target);
  return std::move(out).bytes();
}

void PutProposal(Transaction& transaction, const Repository& repository, const Proposal& proposal,
                 const char* act) {
  const std::string key = ProposalKey(proposal.number);
  Proposals(repository.record().id).Put(transaction.batch(), key, proposal);
  const std::string open = OpenKey(repository, proposal.source, proposal.target);
  if (proposal.state == ProposalState::kOpen) {
    transaction.batch().Put(storage::kv::ColumnFamily::kProposals, open, key);
  } else {
    transaction.batch().Delete(storage::kv::ColumnFamily::kProposals, open);
  }
  AuditAct audited{act,
                   {{"repo", repository.record().name.value()},
                    {"proposal", std::to_string(proposal.number)},
                    {"source", proposal.source},
                    {"target", proposal.target}}};
  if (proposal.state == ProposalState::kMerged) {
    audited.ids.emplace_back("revision", proposal.revision.Hex());
    audited.ids.emplace_back("commit", proposal.merged.Hex());
    for (const std::string& name : proposal.approvers) audited.ids.emplace_back("approver", name);
  }
  transaction.Audit(std::move(audited));
}

// So that the same change is not proposed twice.
Result<std::optional<Proposal>> FindOpen(const Repository& repository, const NewProposal& wanted) {
  storage::kv::KvStore& store = repository.objects().store();
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> key,
                         store.Get(storage::kv::ColumnFamily::kProposals,
                                   OpenKey(repository, wanted.source, wanted.target)));
  if (!key) return std::optional<Proposal>();
  return Proposals(repository.record().id).Find(store, *key);
}

Result<std::uint64_t> NextNumber(const Repository& repository) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Proposal> newest,
                         ListProposals(repository, {.count_max = 1}));
  return newest.empty() ? 1 : newest.front().number + 1;
}

Status CheckTitle(const std::string& title) {
  const auto characters = static_cast<std::size_t>(
      std::ranges::count_if(title, [](char c) { return (c & 0xc0) != 0x80; }));
  if (characters <= kTitleCharactersMax && title.find_first_of("\n\t") == std::string::npos)
    return OkStatus();
  return InvalidArgument(
      Format("at /title: found {} characters{}, expected one line of at most {}; "
             "what is longer goes into the text",
             characters, characters <= kTitleCharactersMax ? " of several lines" : "",
             kTitleCharactersMax));
}

// Its words are its author's, and become the merge's.
Status CheckMayReword(const Proposal& open, const NewProposal& wanted, const Caller& caller) {
  if (open.author.name == caller.principal.name || (wanted.title.empty() && wanted.text.empty()))
    return OkStatus();
  return store::CheckScope(caller, "merge")
      .WithContext(
          Format("rewording proposal {}, which {} has opened", open.number, open.author.name));
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
  proposal.title = Shortened(FirstLine(newest.message), kTitleCharactersMax);
  return proposal;
}

Status CheckOpen(const Proposal& proposal) {
  if (proposal.state == ProposalState::kOpen) return OkStatus();
  return {StatusCode::kFailedPrecondition, "not_open",
          Format("proposal {} is {}, by {}", proposal.number, ProposalStateName(proposal.state),
                 proposal.ended_by)};
}

// A maker can object, and take an objection back, but not approve.
Status CheckVerdict(const Standing& standing, const NewReview& wanted, const std::string& who) {
  if (wanted.verdict != Verdict::kApprove || !standing.revision->makers.contains(who) ||
      std::ranges::find(standing.objectors, who) != standing.objectors.end())
    return OkStatus();
  return {StatusCode::kPermissionDenied, "own_change",
          Format("reviewing proposal {}: {} had a hand in it; somebody else must approve it",
                 wanted.proposal, who)};
}

Status CheckReview(const Standing& standing, const NewReview& wanted, const std::string& who) {
  EMEND_RETURN_IF_ERROR(CheckOpen(standing.proposal));
  if (!standing.revision) {
    return FailedPrecondition(
        Format("reviewing proposal {}: {}", wanted.proposal, standing.blockers.front().message));
  }
  if (standing.revision->id != wanted.revision) {
    return {StatusCode::kConflict, "stale_revision",
            Format("reviewing proposal {}: it is at revision {} by now, not {}; look at it again",
                   wanted.proposal, ShortOf(standing.revision->id), ShortOf(wanted.revision))};
  }
  EMEND_RETURN_IF_ERROR(CheckVerdict(standing, wanted, who));
  if (standing.reviews.size() >= kReviewsMax || wanted.facts.size() > kNotesMax) {
    return {StatusCode::kFailedPrecondition, "too_many_reviews",
            Format("reviewing proposal {}: found {} reviews of it and {} notes in this one, "
                   "expected fewer than {} and at most {}",
                   wanted.proposal, standing.reviews.size(), wanted.facts.size(), kReviewsMax,
                   kNotesMax)};
  }
  if (wanted.verdict != Verdict::kApprove && wanted.text.empty() && wanted.facts.empty()) {
    return InvalidArgument(
        Format("reviewing proposal {}: it says nothing; expected a text, or a note on a fact",
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
    return Status(StatusCode::kFailedPrecondition, "nothing_to_merge",
                  "proposing " + wanted.source + " for itself: expected another branch");
  EMEND_RETURN_IF_ERROR(CheckTitle(wanted.title));
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
    EMEND_RETURN_IF_ERROR(CheckMayReword(proposal, wanted, caller));
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
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "propose"));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_ASSIGN_OR_RETURN(const Proposal proposal, ReadProposal(repository, number));
    if (proposal.author.name != caller.principal.name)
      EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "merge"));
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

Result<std::vector<Proposal>> ListProposals(const Repository& repository,
                                            const ProposalFilter& filter) {
  storage::kv::KvStore& store = repository.objects().store();
  const RecordTable<Proposal> table = Proposals(repository.record().id);
  if (!filter.open_only) {
    const std::string start = filter.before == 0 ? "" : ProposalKey(filter.before - 1);
    return table.ListFrom(store, start, filter.count_max);
  }
  std::set<std::string> keys;  // which sort newest first
  const auto visit = [&](std::string_view, std::string_view key) {
    keys.emplace(key);
    return true;
  };
  EMEND_RETURN_IF_ERROR(store.Scan(storage::kv::ColumnFamily::kProposals,
                                   repository.record().id.value() + "open/", "", visit));
  std::vector<Proposal> open;
  for (const std::string& key : keys) {
    if (open.size() == filter.count_max) break;
    if (filter.before != 0 && key <= ProposalKey(filter.before)) continue;
    EMEND_ASSIGN_OR_RETURN(const std::optional<Proposal> one, table.Find(store, key));
    if (one) open.push_back(*one);
  }
  return open;
}

}  // namespace emend::coordinator::review
