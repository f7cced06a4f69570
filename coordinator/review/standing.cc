#include "coordinator/review/standing.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "coordinator/review/probes.h"
#include "storage/base/encoding.h"
#include "storage/base/format.h"
#include "storage/base/reason.h"

namespace emend::coordinator::review {
namespace {

using storage::history::NumberedCommit;
using storage::history::RefKind;

// Its moves that brought in one of the commits.
constexpr std::size_t kMovesReadMax = 10'000;

Result<Digest> DigestOf(const Repository& repository, const Revision& revision) {
  EMEND_ASSIGN_OR_RETURN(const auto ancestor, repository.ReadCommit(revision.plan.ancestor));
  EMEND_ASSIGN_OR_RETURN(const auto source, repository.ReadCommit(revision.source));
  EMEND_ASSIGN_OR_RETURN(const auto diff, repository.Diff(ancestor.state, source.state));
  Encoder out;
  out.Id(source.base);
  for (const std::vector<EditId>* ids : {&diff.added, &diff.removed}) {
    out.Count(ids->size());
    for (const EditId& id : *ids) out.Id(id);
  }
  return Sha256(out.bytes());
}

Status FindMakers(const Repository& repository, const Proposal& proposal, Revision& revision) {
  revision.makers = {proposal.author.name};
  EMEND_ASSIGN_OR_RETURN(
      const std::vector<NumberedCommit> commits,
      storage::history::CommitsBeyond(repository, revision.source, revision.target));
  std::set<CommitId> ids;
  for (const auto& [id, commit] : commits) {
    revision.makers.insert(commit.author);
    ids.insert(id);
  }
  EMEND_ASSIGN_OR_RETURN(const auto moves, repository.Reflog(proposal.source, kMovesReadMax));
  for (const auto& move : moves) {
    if (ids.contains(move.to)) revision.makers.insert(move.principal);
  }
  return OkStatus();
}

// Each one's last word: an approval is good for its revision, a request until it is taken back.
void CountVerdicts(Standing& standing) {
  std::map<std::string, const Review*> last;
  for (const Review& review : standing.reviews) {
    if (review.verdict != Verdict::kComment) last[review.principal.name] = &review;
  }
  for (const auto& [name, review] : last) {
    if (standing.revision && standing.revision->makers.contains(name)) continue;
    if (review->verdict == Verdict::kRequestChanges) {
      standing.objectors.push_back(name);
    } else if (standing.revision && review->revision == standing.revision->id) {
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
  if (proposal.state != ProposalState::kOpen) {
    blockers.push_back({"not_open", "it is " + std::string(ProposalStateName(proposal.state))});
    return;
  }
  if (!standing.revision) {
    blockers.push_back({"no_branch", "its branch " + proposal.source + " or " + proposal.target +
                                         " is not there any more"});
    return;
  }
  const storage::history::MergePlan& plan = standing.revision->plan;
  if (plan.kind == storage::history::MergeKind::kUpToDate)
    blockers.push_back({"nothing_to_merge", proposal.target + " has all of it already"});
  if (!plan.conflicts.empty()) {
    blockers.push_back(
        {"conflicts",
         Format("{} facts are held otherwise by {}: emend merge {} into {} and decide",
                plan.conflicts.size(), proposal.target, proposal.target, proposal.source)});
  }
  if (!standing.objectors.empty())
    blockers.push_back(
        {"changes_requested", "changes are requested by " + Joined(standing.objectors)});
  const std::uint32_t wanted = standing.rule ? standing.rule->approvals : 0;
  if (standing.approvers.size() < wanted) {
    blockers.push_back(
        {"approvals",
         Format("{} of {} approvals of this revision, by others than {}", standing.approvers.size(),
                wanted,
                Joined({standing.revision->makers.begin(), standing.revision->makers.end()}))});
  }
  if (!standing.is_check_current) return;
  const std::string missed = MissedMeasures(standing.rule, *standing.check);
  if (!missed.empty()) blockers.push_back({"requirements", missed});
}

}  // namespace

Result<Revision> ReadRevision(const Repository& repository, const Proposal& proposal) {
  Revision revision;
  EMEND_ASSIGN_OR_RETURN(const auto source, repository.ReadRef(RefKind::kBranch, proposal.source));
  EMEND_ASSIGN_OR_RETURN(const auto target, repository.ReadRef(RefKind::kBranch, proposal.target));
  revision.source = source.commit;
  revision.target = target.commit;
  EMEND_ASSIGN_OR_RETURN(revision.plan, PlanMerge(repository, target.commit, source.commit, {}));
  EMEND_ASSIGN_OR_RETURN(revision.id, DigestOf(repository, revision));
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
  storage::kv::KvStore& store = repository.objects().store();
  const RepoId& repo = repository.record().id;
  const std::string key = ProposalKey(number);
  if (standing.proposal.state == ProposalState::kOpen) {
    Result<Revision> revision = ReadRevision(repository, standing.proposal);
    if (!revision.ok() && revision.status().code() != StatusCode::kNotFound)
      return revision.status();
    if (revision.ok()) standing.revision = std::move(*revision);
  }
  EMEND_ASSIGN_OR_RETURN(standing.reviews, Reviews(repo).List(store, key));
  EMEND_ASSIGN_OR_RETURN(standing.check, Checks(repo).Find(store, key));
  EMEND_ASSIGN_OR_RETURN(standing.rule,
                         storage::history::FindProtection(store, repo, standing.proposal.target));
  EMEND_ASSIGN_OR_RETURN(const Digest probes, DigestOfSuites(repository));
  standing.is_check_current =
      standing.check && standing.revision && standing.check->source == standing.revision->source &&
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
