// What every kind of operation is made with. Internal to coordinator/operations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coordinator/jobs/operation_kind.h"
#include "coordinator/jobs/worker_session.h"
#include "storage/history/repository.h"

namespace emend::coordinator::operations {

using JsonReader = storage::json::Reader;
using jobs::Demand;
using jobs::JobContext;
using jobs::JobControl;
using jobs::JobInput;
using jobs::JobOutcome;
using jobs::kCallTimeout;
using jobs::kSolveTimeout;
using jobs::OperationKind;
using jobs::OperationRequest;
using jobs::Outcomes;
using jobs::Pool;
using jobs::ReadAs;
using jobs::Role;
using jobs::RunInput;
using jobs::SoloRequest;
using jobs::Subject;
using jobs::WorkerSession;
using storage::history::Repository;
using storage::objects::Commit;

// kNotFound. `context` outlives the call.
Awaitable<Result<Repository>> OpenRepository(JobContext* context, RepoName repo);
// A commit of this kind by whom, made now: without what it changes.
Commit NewCommit(JobContext& context, storage::objects::CommitKind kind,
                 std::vector<CommitId> parents, const storage::records::Principal& author);

// A revision of a repo, opened: what most operations begin with.
struct Located {
  Repository repository;
  CommitId id;
  Commit commit;
};
// kNotFound. Blocks.
Result<Located> Locate(JobContext& context, const std::string& repo, const std::string& revision);

// One that reads a revision of a repo, and is carried out on what it stood for when it began.
class RevisionRequest : public SoloRequest {
 public:
  std::string_view Revision() const final { return revision_; }

 protected:
  void ReadRevision(JsonReader& reader) { reader.Filled("revision", revision_); }

 private:
  virtual Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const = 0;
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const final;

  std::string revision_ = "main";
};

// A name for what this operation writes beside the store (storage/base/work_folder.h): one of all
// stores' operations, since those of two stores have the same ids.
std::string WorkOwner(const JobInput& input, std::string_view store);

}  // namespace emend::coordinator::operations
