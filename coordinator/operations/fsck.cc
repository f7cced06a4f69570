// fsck: the whole store.
#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/operations/statistics_table.h"
#include "coordinator/operations/stored_check.h"
#include "storage/history/fsck.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::checkpoint::DigestCheck;

// Base files and statistics lie beside the database; fsck of the store does not see them.
void CheckFiles(JobContext& context, const Repository& repository,
                storage::history::FsckReport& report) {
  const std::string where = "repo " + repository.record().name.value();
  Result<Located> located = Locate(context, repository.record().name.value(), "main");
  if (!located.ok()) return;
  const Result<StoredCheck> verified = CheckStored(context, *located);
  if (!verified.ok()) report.problems.push_back({where + ", main", verified.status().message()});
  if (verified.ok()) {
    for (const DigestCheck& file : verified->files) {
      if (!file.fault.empty())
        report.problems.push_back({where + ", base file " + file.name, file.fault});
    }
    for (const DigestCheck& tensor : verified->tensors) {
      if (!tensor.fault.empty())
        report.problems.push_back({where + ", tensor " + tensor.name, tensor.fault});
    }
  }
  const auto statistics = ListStatistics(context.store, repository.record().id);
  if (!statistics.ok())
    report.problems.push_back({where + ", statistics", statistics.status().message()});
  if (!statistics.ok()) return;
  for (const StatisticsRecord& record : *statistics) {
    if (!context.file_system.Exists(context.layout.statistics_file(record.id))) {
      report.problems.push_back({where + ", statistics " + record.id.substr(0, 12),
                                 "the file is missing: run `emend stats` again"});
    }
  }
}

Result<storage::history::FsckReport> CheckStore(JobContext& context) {
  EMEND_ASSIGN_OR_RETURN(auto report, storage::history::Fsck(context.store, context.journal));
  EMEND_ASSIGN_OR_RETURN(const auto repos, Repository::List(context.store));
  for (const auto& record : repos) {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(context.store, record.name));
    CheckFiles(context, repository, report);
  }
  return report;
}

std::string ResultOf(const storage::history::FsckReport& report) {
  ordered_json json = {{"ok", report.problems.empty()}, {"problems", ordered_json::array()}};
  for (const auto& problem : report.problems)
    json["problems"].push_back({{"where", problem.where}, {"what", problem.what}});
  json["commits"] = report.commits;
  json["edits"] = report.edits;
  json["payload_bytes"] = report.payload_bytes;
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

class FsckRequest final : public SoloRequest {
 public:
  void Read(JsonReader&) {}
  Demand DemandOn(const std::string& repo) const override {
    return {
        .role = Role::kReads, .pool = Pool::kLocal, .cost = jobs::kWholeModelCost, .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(
        const auto report, co_await Blocking(context.runtime, [&] { return CheckStore(context); }));
    co_return JobOutcome{ResultOf(report), {}};
  }
};

}  // namespace

extern const OperationKind kFsck;
const OperationKind kFsck = {"fsck", "admin", Subject::kStore, ReadAs<FsckRequest>};

}  // namespace emend::coordinator::operations
