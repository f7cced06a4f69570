// removal: a repo leaves the store, and its base's files with the last repo that stands on them.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/operation.h"
#include "coordinator/store/statistics_table.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;

// Why the base's files stay; "" if they go.
Result<std::string> WhyKept(JobContext& context, const Repository& removed) {
  if (!context.layout.shared.empty())
    return "they lie in a folder that other stores may use: " + context.layout.shared;
  EMEND_ASSIGN_OR_RETURN(const auto repos, Repository::List(context.store));
  const auto other = std::ranges::find_if(repos, [&](const auto& repo) {
    return repo.base == removed.record().base && repo.id != removed.record().id;
  });
  return other == repos.end() ? "" : "repo " + other->name.value() + " stands on them, too";
}

Status RemoveFiles(JobContext& context, const BaseId& base,
                   const std::vector<store::StatisticsRecord>& statistics) {
  for (const store::StatisticsRecord& record : statistics)
    EMEND_RETURN_IF_ERROR(context.file_system.Remove(context.layout.statistics_file(record.id)));
  EMEND_RETURN_IF_ERROR(context.file_system.Remove(context.layout.tile_file(base)));
  return RemoveTree(context.file_system, context.layout.model_folder(base));
}

Result<JobOutcome> PrepareRemoval(JobContext& context, const RepoName& name) {
  EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(context.store, name));
  const BaseId base = repository.record().base;
  EMEND_ASSIGN_OR_RETURN(const std::string kept, WhyKept(context, repository));
  EMEND_ASSIGN_OR_RETURN(auto statistics,
                         store::ListStatistics(context.store, repository.record().id));
  ordered_json result = {{"repo", name.value()}, {"base", base.Hex()}};
  if (!kept.empty()) result["files_kept"] = kept;
  JobOutcome outcome{result.dump(), [repository](auto& transaction, std::string&) {
                       repository.Remove(transaction);
                       return OkStatus();
                     }};
  if (kept.empty()) {
    outcome.clean_up = [&context, base, statistics = std::move(statistics)] {
      return RemoveFiles(context, base, statistics);
    };
  }
  return outcome;
}

class RemovalRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) { reader.Require("repo", repo_); }
  // It writes model folders as an import does, and so never beside one: which bases are in use
  // stays as it was found.
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kRemoves, .pool = Pool::kFiles, .cost = 1, .repo = repo};
  }
  Status Check(JobContext&, const RepoName& repo) const override {
    if (repo_ == repo.value()) return OkStatus();
    return InvalidArgument("removing the repo \"" + repo.value() + "\": found the name \"" +
                           Shortened(repo_) +
                           "\" to confirm it, expected its own; nothing was removed");
  }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    JobContext& context = *input.context;
    const RepoName name(input.operation.repo);
    co_return co_await Blocking(context.runtime, [&] { return PrepareRemoval(context, name); });
  }

  std::string repo_;  // the name again
};

}  // namespace

extern const OperationKind kRemoval;
const OperationKind kRemoval = {"removal", "admin", Subject::kRepo, ReadAs<RemovalRequest>};

}  // namespace emend::coordinator::operations
