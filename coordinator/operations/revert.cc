// revert: a new commit that takes a commit's edits out.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/commit_stage.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "storage/base/failpoint.h"
#include "storage/history/set_algebra.h"

namespace emend::coordinator::operations {
namespace {

struct RevertFields {
  std::string branch = "main";
  std::string commit;  // revision
  std::string message;
};

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
                               const JobInput& input, const RevertFields& request) {
  Reverted reverted;
  EMEND_ASSIGN_OR_RETURN(const storage::history::Ref branch,
                         repository.ReadRef(storage::history::RefKind::kBranch, request.branch));
  reverted.head = branch.commit;
  EMEND_ASSIGN_OR_RETURN(const CommitId target, repository.Resolve(request.commit));
  EMEND_ASSIGN_OR_RETURN(const Commit undone, repository.ReadCommit(target));
  EMEND_ASSIGN_OR_RETURN(const Commit parent, repository.ReadCommit(reverted.head));
  EMEND_ASSIGN_OR_RETURN(const auto plan, storage::history::PlanRevert(repository, branch, target));
  EMEND_ASSIGN_OR_RETURN(const StagedState staged,
                         StageState(context, repository, parent.state, plan.added, plan.removed));
  Commit& commit = reverted.commit;
  commit = NewCommit(context, storage::objects::CommitKind::kRevert, {reverted.head},
                     input.operation.principal);
  commit.base = parent.base;
  commit.state = staged.state;
  commit.message = request.message.empty()
                       ? "Revert \"" + SubjectOf(undone) + "\"\n\nThis takes out what commit " +
                             target.Hex() + " added."
                       : request.message;
  commit.added = plan.added;
  commit.removed = plan.removed;
  reverted.blocked = plan.blocked;
  return reverted;
}

std::string ResultOf(const RevertFields& request, const Reverted& reverted) {
  const Commit& commit = reverted.commit;
  nlohmann::ordered_json json = LocatedJson(IdOf(commit), commit.state);
  json["branch"] = request.branch;
  json["removed"] = commit.removed.size();
  json["restored"] = commit.added.size();
  json["blocked"] = nlohmann::ordered_json::array();
  for (const EditId& edit : reverted.blocked) json["blocked"].push_back(edit.Hex());
  return json.dump();
}

class RevertRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Filled("branch", fields_.branch);
    reader.Require("commit", fields_.commit);
    reader.Text("message", fields_.message);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kReverts,
            .pool = Pool::kLocal,
            .cost = jobs::kRevertCost,
            .repo = repo,
            .branch = fields_.branch};
  }
  std::string_view Revision() const override { return fields_.commit; }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(
        Repository repository,
        co_await OpenRepository(input.context, RepoName(input.operation.repo)));
    EMEND_CO_ASSIGN_OR_RETURN(const Reverted reverted, co_await Blocking(context.runtime, [&] {
                                return PrepareRevert(context, repository, input, fields_);
                              }));
    auto apply = [repository, branch = fields_.branch, reverted](
                     storage::records::Transaction& transaction, std::string&) -> Status {
      EMEND_FAILPOINT("revert.before_advance");
      return repository.Advance(transaction, branch, reverted.head, reverted.commit).status();
    };
    co_return JobOutcome{ResultOf(fields_, reverted), std::move(apply)};
  }

  RevertFields fields_;
};

}  // namespace

extern const OperationKind kRevert;
const OperationKind kRevert = {"revert", "merge", Subject::kRepo, ReadAs<RevertRequest>};

}  // namespace emend::coordinator::operations
