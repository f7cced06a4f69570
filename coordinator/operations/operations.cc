#include "coordinator/operations/operations.h"

#include <array>
#include <utility>

#include "coordinator/operations/operation.h"

namespace emend::coordinator::operations {

extern const OperationKind kImport;
extern const OperationKind kStatistics;
extern const OperationKind kTune;
extern const OperationKind kCommit;
extern const OperationKind kRevert;
extern const OperationKind kRefit;
extern const OperationKind kMerge;
extern const OperationKind kProposalCheck;
extern const OperationKind kProposalMerge;
extern const OperationKind kProbes;
extern const OperationKind kEvaluation;
extern const OperationKind kBlame;
extern const OperationKind kVerify;
extern const OperationKind kExport;
extern const OperationKind kFsck;
extern const OperationKind kRemoval;

jobs::OperationKinds Kinds() {
  static const std::array kKinds = {
      kImport, kStatistics, kTune,   kCommit,        kRevert,        kRefit,  kMerge, kEvaluation,
      kBlame,  kVerify,     kExport, kProposalCheck, kProposalMerge, kProbes, kFsck,  kRemoval};
  return kKinds;
}

Awaitable<Result<Repository>> OpenRepository(JobContext* context, RepoName repo) {
  co_return co_await Blocking(context->runtime,
                              [&] { return Repository::Open(context->store, repo); });
}

Commit NewCommit(JobContext& context, storage::objects::CommitKind kind,
                 std::vector<CommitId> parents, const storage::records::Principal& author) {
  Commit commit;
  commit.kind = kind;
  commit.parents = std::move(parents);
  commit.author = author.name;
  commit.token_id = author.token_id;
  commit.time_ms = context.runtime.clock().WallNow().time_since_epoch().count();
  return commit;
}

Result<Located> Locate(JobContext& context, const std::string& repo, const std::string& revision) {
  EMEND_ASSIGN_OR_RETURN(Repository repository, Repository::Open(context.store, RepoName(repo)));
  EMEND_ASSIGN_OR_RETURN(const CommitId id, repository.Resolve(revision));
  EMEND_ASSIGN_OR_RETURN(Commit commit, repository.ReadCommit(id));
  return Located{std::move(repository), id, std::move(commit)};
}

Awaitable<Result<JobOutcome>> RevisionRequest::RunAlone(JobInput input) const {
  EMEND_CO_ASSIGN_OR_RETURN(Located located, co_await Blocking(input.context->runtime, [&] {
                              return Locate(*input.context, input.operation.repo, revision_);
                            }));
  co_return co_await RunOn(std::move(input), std::move(located));
}

std::string WorkOwner(const JobInput& input, std::string_view store) {
  constexpr std::size_t kDigits = 16;
  const Digest digest = Sha256(input.context->layout.folder + "/" + std::string(store));
  return input.operation.id.value() + "-" + digest.Hex().substr(0, kDigits);
}

}  // namespace emend::coordinator::operations
