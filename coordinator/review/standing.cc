#include "coordinator/review/standing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "coordinator/review/probes.h"
#include "storage/base/encoding.h"
#include "storage/base/format.h"
#include "storage/base/reason.h"

namespace emend::coordinator::review {
namespace {

using storage::history::NumberedCommit;
using storage::history::RefKind;

constexpr std::string_view kRevisionFormat = "emend revision 1";
constexpr std::size_t kMovesOfAPage = 256;
constexpr std::string_view kNoBranch = "no_branch";

Digest DigestOf(const Repository& repository, const storage::history::MergePlan& plan) {
  Encoder out;
  out.Text(kRevisionFormat);
  out.Id(repository.record().base);
  for (const std::vector<EditId>* ids : {&plan.added, &plan.removed}) {
    out.Count(ids->size());
    for (const EditId& id : *ids) out.Id(id);
  }
  return Sha256(out.bytes());
}

// Adds who moved the branch to one of the commits. No move to one is older than the oldest.
Status AddMovers(const Repository& repository, const std::string& branch,
                 const std::set<CommitId>& commits, std::int64_t oldest_ms,
                 std::set<std::string>& makers) {
  std::optional<std::uint64_t> before;
  while (true) {
    EMEND_ASSIGN_OR_RETURN(const auto moves, repository.Reflog(branch, kMovesOfAPage, before));
    for (const auto& move : moves) {
      if (commits.contains(move.to)) makers.insert(move.principal);
    }
    if (moves.size() < kMovesOfAPage || moves.back().time_ms < oldest_ms) return OkStatus();
    before = moves.back().index;
  }
}

Status FindMakers(const Repository& repository, const Proposal& proposal, Revision& revision) {
  revision.makers = {proposal.author.name};
  EMEND_ASSIGN_OR_RETURN(
      const std::vector<NumberedCommit> commits,
      storage::history::CommitsBeyond(repository, revision.source, revision.target));
  std::set<CommitId> ids;
  std::int64_t oldest_ms = std::numeric_limits<std::int64_t>::max();
  for (const auto& [id, commit] : commits) {
    revision.makers.insert(commit.author);
    ids.insert(id);
    oldest_ms = std::min(oldest_ms, commit.time_ms);
  }
  return AddMovers(repository, proposal.source, ids, oldest_ms, revision.makers);
}

Result<CommitId> HeadOf(const Repository& repository, const std::string& branch) {
  const auto ref = repository.ReadRef(RefKind::kBranch, branch);
  if (ref.ok()) return ref->commit;
  if (ref.status().code() != StatusCode::kNotFound) return ref.status();
  return Status(StatusCode::kFailedPrecondition, std::string(kNoBranch),
                "there is no branch " + branch);
}

// Each one's last word: an approval is good for its revision, and never a maker's; a request stands
// until it is taken back, whoever its author has become since.
void CountVerdicts(Standing& standing) {
  std::map<std::string, const Review*> last;
  for (const Review& review : standing.reviews) {
    if (review.verdict != Verdict::kComment) last[review.principal.name] = &review;
  }
  for (const auto& [name, review] : last) {
    if (review->verdict == Verdict::kRequestChanges) {
      standing.objectors.push_back(name);
    } else if (standing.revision && review->revision == standing.revision->id &&
               !standing.revision->makers.contains(name)) {
      standing.approvers.push_back(name);
    }
  }
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string Percent(double value) {
  return std::isnan(value) ? "not measured" : Format("{:.1f}", value);
}

// "taken 80.0 where 90.0 is required"; empty: nothing.
std::string MissedMeasures(const std::optional<Protection>& rule, const Check& check) {
  std::string missed;
  if (!rule) return missed;
  for (const auto& [name, percent] : rule->required) {
    const auto found = check.measured.find(name);
    // nothing is measured where a proposal only takes facts out
    if (found == check.measured.end() || found->second >= percent) continue;
    missed += (missed.empty() ? "" : ", ") + name + " " + Percent(found->second) + " where " +
              Percent(percent) + " is required";
  }
  return missed;
}

void FindBlockers(Standing& standing) {
  std::vector<Blocker>& blockers = standing.blockers;
  const Proposal& proposal = standing.proposal;
  const storage::history::MergePlan& plan = standing.revision->plan;
  if (plan.kind == storage::history::MergeKind::kUpToDate)
    blockers.push_back({Block::kNothingToMerge, proposal.target + " has all of it already"});
  if (!plan.conflicts.empty()) {
    blockers.push_back({Block::kConflicts,
                        Format("{} facts are held otherwise by {}: decide by merging it into {}",
                               plan.conflicts.size(), proposal.target, proposal.source)});
  }
  if (!standing.objectors.empty())
    blockers.push_back(
        {Block::kChangesRequested, "changes are requested by " + Joined(standing.objectors)});
  const std::uint32_t wanted = standing.rule ? standing.rule->approvals : 0;
  if (standing.approvers.size() < wanted) {
    blockers.push_back(
        {Block::kApprovals,
         Format("{} of {} approvals of this revision, by others than {}", standing.approvers.size(),
                wanted,
                Joined({standing.revision->makers.begin(), standing.revision->makers.end()}))});
  }
  if (!standing.is_check_current) return;
  const std::string missed = MissedMeasures(standing.rule, *standing.check);
  if (!missed.empty()) blockers.push_back({Block::kRequirements, missed});
}

}  // namespace

std::string_view BlockName(Block block) {
  constexpr std::array<std::string_view, 7> kNames = {
      "not_open",          "no_branch", "nothing_to_merge", "conflicts",
      "changes_requested", "approvals", "requirements"};
  return kNames.at(static_cast<std::size_t>(block));
}

Result<Revision> ReadRevision(const Repository& repository, const Proposal& proposal) {
  Revision revision;
  EMEND_ASSIGN_OR_RETURN(revision.source, HeadOf(repository, proposal.source));
  EMEND_ASSIGN_OR_RETURN(revision.target, HeadOf(repository, proposal.target));
  EMEND_ASSIGN_OR_RETURN(revision.plan,
                         PlanMerge(repository, revision.target, revision.source, {}));
  revision.id = DigestOf(repository, revision.plan);
  EMEND_RETURN_IF_ERROR(FindMakers(repository, proposal, revision));
  return revision;
}

Result<Proposal> ReadProposal(const Repository& repository, std::uint64_t number) {
  const RepoId& repo = repository.record().id;
  EMEND_ASSIGN_OR_RETURN(std::optional<Proposal> proposal,
                         Proposals(repo).Find(repository.objects().store(), ProposalKey(number)));
  if (!proposal) {
    const std::string& name = repository.record().name.value();
    return NotFound(Format("proposal {} of repo {}: there is none; emend proposals {} lists them",
                           number, name, name));
  }
  return *std::move(proposal);
}

Result<Standing> ReadStanding(const Repository& repository, std::uint64_t number) {
  Standing standing;
  EMEND_ASSIGN_OR_RETURN(standing.proposal, ReadProposal(repository, number));
  const Proposal& proposal = standing.proposal;
  storage::kv::KvStore& store = repository.objects().store();
  const RepoId& repo = repository.record().id;
  const std::string key = ProposalKey(number);
  EMEND_ASSIGN_OR_RETURN(standing.reviews, Reviews(repo).List(store, key));
  EMEND_ASSIGN_OR_RETURN(standing.check, Checks(repo).Find(store, key));
  EMEND_ASSIGN_OR_RETURN(standing.rule,
                         storage::history::FindProtection(store, repo, proposal.target));
  if (proposal.state != ProposalState::kOpen) {
    standing.approvers = proposal.approvers;
    standing.blockers.push_back(
        {Block::kNotOpen,
         Format("it is {}, by {}", ProposalStateName(proposal.state), proposal.ended_by)});
    return standing;
  }
  Result<Revision> revision = ReadRevision(repository, proposal);
  if (revision.status().slug() == kNoBranch) {
    standing.blockers.push_back({Block::kNoBranch, revision.status().message()});
    return standing;
  }
  EMEND_ASSIGN_OR_RETURN(standing.revision, std::move(revision));
  EMEND_ASSIGN_OR_RETURN(const Digest probes, DigestOfSuites(repository));
  standing.is_check_current =
      standing.check && standing.check->source == standing.revision->source &&
      standing.check->target == standing.revision->target && standing.check->probes == probes;
  CountVerdicts(standing);
  FindBlockers(standing);
  return standing;
}

Status CheckMergeable(const Standing& standing) {
  if (standing.blockers.empty()) return OkStatus();
  std::string why;
  for (const Blocker& blocker : standing.blockers)
    why += (why.empty() ? "" : "; ") + blocker.message;
  return {StatusCode::kFailedPrecondition, "not_mergeable",
          Format("merging proposal {}: {}", standing.proposal.number, why)};
}

Status CheckMeasured(const std::optional<Protection>& rule, const Check& check) {
  const std::string missed = MissedMeasures(rule, check);
  if (missed.empty()) return OkStatus();
  return Failure(Reason::kRequirementNotMet,
                 Format("merging proposal {}: {}", check.proposal, missed));
}

}  // namespace emend::coordinator::review
