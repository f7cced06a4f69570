// proposal_check and proposal_merge: what a proposal's merge would give, measured; and that merge.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "coordinator/operations/measures.h"
#include "coordinator/operations/merge_stage.h"
#include "coordinator/operations/operation.h"
#include "coordinator/review/proposals.h"
#include "storage/base/failpoint.h"
#include "storage/base/format.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::records::Transaction;

// What both do until something is written.
struct ProposalRun {
  Repository repository;
  Candidate candidate;
  review::Check check;
  bool is_new = false;  // measured now
};

class ProposalRequest : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Unsigned("proposal", number_);
    if (number_ == 0) reader.Fail("proposal", "expected the number of a proposal, from 1");
  }
  Demand DemandOn(const std::string& repo) const override {
    return {
        .role = Role::kReads, .pool = Pool::kWorkers, .cost = jobs::kWholeModelCost, .repo = repo};
  }
  Status Check(JobContext& context, const RepoName& repo) const override {
    EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(context.store, repo));
    return review::ReadProposal(repository, number_).status();
  }

 protected:
  enum class Purpose { kCheck, kMerge };
  // Staged and measured. For a merge, what was measured of these heads before will do, and what
  // cannot be merged need not be measured.
  Awaitable<Result<ProposalRun>> Prepare(JobInput input, Purpose purpose) const {
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(
        Repository repository,
        co_await OpenRepository(input.context, RepoName(input.operation.repo)));
    ProposalRun run{.repository = std::move(repository), .candidate = {}, .check = {}};
    EMEND_CO_ASSIGN_OR_RETURN(run.candidate, co_await Blocking(context.runtime, [&] {
                                return StageCandidate(context, run.repository, input.operation,
                                                      number_);
                              }));
    if (purpose == Purpose::kMerge)
      EMEND_CO_RETURN_IF_ERROR(review::CheckMergeable(run.candidate.standing));
    run.is_new = purpose == Purpose::kCheck || !run.candidate.standing.is_check_current;
    if (!run.is_new) {
      run.check = *run.candidate.standing.check;
      co_return run;
    }
    EMEND_CO_ASSIGN_OR_RETURN(run.check, co_await MeasureCandidate(&context, &run.repository,
                                                                   &run.candidate, input.control));
    co_return run;
  }

  static ordered_json ResultOf(const ProposalRun& run) {
    const review::Check& check = run.check;
    ordered_json json = {{"proposal", check.proposal}, {"revision", check.revision.Hex()}};
    json["source"] = check.source.Hex();
    json["target"] = check.target.Hex();
    json["state"] = check.state.Hex();
    json["evaluation"] = ordered_json::object();
    if (check.before) json["evaluation"]["before"] = MeasuresJson(*check.before);
    if (check.after) json["evaluation"]["after"] = MeasuresJson(*check.after);
    json["evidence"] = ordered_json::parse(check.evidence);
    return json;
  }

  static void PutCheck(Transaction& transaction, const Repository& repository,
                       const review::Check& check) {
    review::Checks(repository.record().id)
        .Put(transaction.batch(), review::ProposalKey(check.proposal), check);
    transaction.Audit({"proposal.check",
                       {{"repo", repository.record().name.value()},
                        {"proposal", std::to_string(check.proposal)},
                        {"revision", check.revision.Hex()},
                        {"state", check.state.Hex()}}});
  }

 private:
  std::uint64_t number_ = 0;
};

class CheckRequest final : public ProposalRequest {
  // What was measured of heads that are others by now is told, and not kept.
  static Status Keep(Transaction& transaction, const Repository& repository,
                     const review::Check& check) {
    EMEND_ASSIGN_OR_RETURN(const review::Standing now,
                           review::ReadStanding(repository, check.proposal));
    if (now.revision && now.revision->source == check.source &&
        now.revision->target == check.target)
      PutCheck(transaction, repository, check);
    return OkStatus();
  }

  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    EMEND_CO_ASSIGN_OR_RETURN(const ProposalRun run,
                              co_await Prepare(std::move(input), Purpose::kCheck));
    JobOutcome outcome{ResultOf(run).dump(), {}};
    outcome.apply = [repository = run.repository, check = run.check](Transaction& transaction,
                                                                     std::string&) {
      return Keep(transaction, repository, check);
    };
    co_return outcome;
  }
};

class MergeProposalRequest final : public ProposalRequest {
  // Nothing is taken for granted of what was read before the measuring: who approved what, and
  // where the branches are, is read again where nobody else can write.
  static Status Land(Transaction& transaction, const ProposalRun& run) {
    EMEND_FAILPOINT("proposal_merge.before_advance");
    const review::Check& check = run.check;
    EMEND_ASSIGN_OR_RETURN(review::Standing now,
                           review::ReadStanding(run.repository, check.proposal));
    EMEND_RETURN_IF_ERROR(review::CheckMergeable(now));
    EMEND_RETURN_IF_ERROR(review::CheckMeasured(now.rule, check));
    EMEND_ASSIGN_OR_RETURN(const Digest probes, review::DigestOfSuites(run.repository));
    if (now.revision->source != check.source || now.revision->target != check.target ||
        probes != check.probes) {
      return Failure(Reason::kStaleHead,
                     Format("merging proposal {}: a branch, or a probe suite, is another by now",
                            check.proposal));
    }
    if (run.is_new) PutCheck(transaction, run.repository, check);
    now.proposal.revision = now.revision->id;
    now.proposal.approvers = now.approvers;
    EMEND_ASSIGN_OR_RETURN(
        now.proposal.merged,
        run.repository.Advance(transaction, now.proposal.target, check.target, run.candidate.commit,
                               storage::history::Door::kReview));
    return review::EndProposal(transaction, run.repository, now.proposal,
                               review::ProposalState::kMerged);
  }

  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    EMEND_CO_ASSIGN_OR_RETURN(ProposalRun run, co_await Prepare(std::move(input), Purpose::kMerge));
    EMEND_CO_RETURN_IF_ERROR(review::CheckMeasured(run.candidate.standing.rule, run.check));
    Commit& commit = run.candidate.commit;
    commit.before = run.check.before;
    commit.after = run.check.after;
    commit.evidence = run.check.evidence;
    ordered_json json = LocatedJson(IdOf(commit), commit.state);
    json["branch"] = run.candidate.standing.proposal.target;
    json["added"] = commit.added.size();
    json["removed"] = commit.removed.size();
    const ordered_json measured = ResultOf(run);
    for (const char* name : {"proposal", "revision", "evaluation", "evidence"})
      json[name] = measured[name];
    co_return JobOutcome{json.dump(), [run](Transaction& transaction, std::string&) {
                           return Land(transaction, run);
                         }};
  }
};

}  // namespace

extern const OperationKind kProposalCheck;
const OperationKind kProposalCheck = {"proposal_check", "propose", Subject::kRepo,
                                      ReadAs<CheckRequest>};
extern const OperationKind kProposalMerge;
const OperationKind kProposalMerge = {"proposal_merge", "merge", Subject::kRepo,
                                      ReadAs<MergeProposalRequest>};

}  // namespace emend::coordinator::operations
