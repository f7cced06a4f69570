#include "coordinator/jobs/commit_stage.h"
#include "coordinator/jobs/job.h"
#include "coordinator/jobs/results.h"
#include "storage/base/failpoint.h"
#include "storage/history/set_algebra.h"

namespace emend::coordinator::jobs {
namespace {

using storage::history::Repository;
using storage::objects::Commit;

struct Reverted {
  CommitId head;
  Commit commit;
  std::vector<EditId> blocked;
};

std::string SubjectOf(const Commit& commit) {
  return commit.message.substr(0, commit.message.find('\n'));
}

// Everything of a revert: no worker is needed, since taking edits out is exact arithmetic on what
// is stored. Runs on the pool.
Result<Reverted> PrepareRevert(JobContext& context, const Repository& repository,
                               const JobInput& input, const core::RevertRequest& request) {
  Reverted reverted;
  EMEND_ASSIGN_OR_RETURN(const storage::history::Ref branch,
                         repository.ReadRef(storage::history::RefKind::kBranch, request.branch));
  reverted.head = branch.commit;
  EMEND_ASSIGN_OR_RETURN(const CommitId target, repository.Resolve(request.commit));
  EMEND_ASSIGN_OR_RETURN(const Commit undone, repository.ReadCommit(target));
  EMEND_ASSIGN_OR_RETURN(const Commit parent, repository.ReadCommit(reverted.head));
  EMEND_ASSIGN_OR_RETURN(const auto plan,
                         storage::history::PlanRevert(repository, reverted.head, target));
  EMEND_ASSIGN_OR_RETURN(const StagedState staged,
                         StageState(context, repository, parent.state, plan.added, plan.removed));
  Commit& commit = reverted.commit;
  commit.kind = storage::objects::CommitKind::kRevert;
  commit.parents = {reverted.head};
  commit.base = parent.base;
  commit.state = staged.state;
  commit.author = input.operation.principal.name;
  commit.token_id = input.operation.principal.token_id;
  commit.time_ms = context.runtime.clock().WallNow().time_since_epoch().count();
  commit.message = request.message.empty()
                       ? "Revert \"" + SubjectOf(undone) + "\"\n\nThis takes out what commit " +
                             target.Hex() + " added."
                       : request.message;
  commit.added = plan.added;
  commit.removed = plan.removed;
  reverted.blocked = plan.blocked;
  return reverted;
}

}  // namespace

Awaitable<Result<JobOutcome>> RunRevert(JobInput input, core::RevertRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await Blocking(context.runtime, [&] {
                              return Repository::Open(context.store,
                                                      RepoName(input.operation.repo));
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(const Reverted reverted, co_await Blocking(context.runtime, [&] {
                              return PrepareRevert(context, repository, input, request);
                            }));
  const Commit& commit = reverted.commit;
  const RevertResult result{IdOf(commit),          commit.state,        request.branch,
                            commit.removed.size(), commit.added.size(), reverted.blocked};
  auto apply = [repository, branch = request.branch, reverted](
                   storage::records::Transaction& transaction, std::string&) -> Status {
    EMEND_FAILPOINT("revert.before_advance");
    return repository.Advance(transaction, branch, reverted.head, reverted.commit).status();
  };
  co_return JobOutcome{ToJson(result), std::move(apply)};
}

}  // namespace emend::coordinator::jobs
