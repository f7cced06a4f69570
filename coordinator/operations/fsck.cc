// fsck: the whole store: the database, and beside it the files that serving needs.
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/stored_base.h"
#include "coordinator/operations/stored_check.h"
#include "coordinator/store/statistics_table.h"
#include "storage/checkpoint/statistics_file.h"
#include "storage/checkpoint/tile_file.h"
#include "storage/history/fsck.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::checkpoint::DigestCheck;
using storage::checkpoint::TileFile;
using storage::history::FsckReport;
using storage::objects::Base;

// Of one repo; every fault becomes a problem.
class RepoFilesCheck {
 public:
  RepoFilesCheck(JobContext& context, const Repository& repo, FsckReport& report)
      : context_(context),
        repo_(repo),
        where_("repo " + repo.record().name.value()),
        report_(report) {}

  void Run() {
    const Result<Base> recorded = storage::objects::DecodeBase(repo_.record().base_encoded);
    if (!recorded.ok()) return;  // told where the repo's record is checked
    CheckBaseFiles(*recorded);
    CheckTiles(*recorded);
    CheckMain();
    CheckStatistics();
  }

 private:
  void Add(const std::string& where, const Status& status) {
    if (!status.ok()) report_.problems.push_back({where_ + ", " + where, status.message()});
  }
  void Add(const std::string& what, const std::vector<DigestCheck>& checks) {
    for (const DigestCheck& check : checks) {
      if (!check.fault.empty())
        report_.problems.push_back({where_ + ", " + what + " " + check.name, check.fault});
    }
  }

  void CheckBaseFiles(const Base& recorded) {
    Add("base file", storage::checkpoint::CompareFiles(
                         context_.layout.model_folder(repo_.record().base), recorded.files));
  }

  // Without it no worker loads the base; its leaves have to give the digests that were recorded.
  void CheckTiles(const Base& recorded) {
    std::map<std::string, Digest> roots;
    for (const auto& [name, tensor] : recorded.tensors) roots[name] = tensor.root;
    const auto tiles =
        TileFile::Open(context_.layout.tile_file(repo_.record().base), std::move(roots));
    Add("tile file", tiles.status());
    const auto base = core::OpenBase(context_.layout, repo_.record());
    if (!tiles.ok() || !base.ok()) return;
    for (const auto& [name, view] : base->checkpoint->tensors())
      Add("tile file, tensor " + name, (*tiles)->Check(view, {}).status());
  }

  void CheckMain() {
    const Result<Located> main = Locate(context_, repo_.record().name.value(), "main");
    if (main.status().code() == StatusCode::kNotFound) return;  // a repo need not have it
    Add("main", main.status());
    if (!main.ok()) return;
    const Result<StoredCheck> verified = CheckStored(context_, *main);
    Add("main", verified.status());
    // its files are told of above
    if (verified.ok()) Add("tensor", verified->tensors);
  }

  void CheckStatistics() {
    const auto statistics = store::ListStatistics(context_.store, repo_.record().id);
    Add("statistics", statistics.status());
    if (!statistics.ok()) return;
    for (const store::StatisticsRecord& record : *statistics) {
      Add("statistics " + record.id.substr(0, 12),
          storage::checkpoint::CheckStatisticsFile(context_.layout.statistics_file(record.id)));
    }
  }

  JobContext& context_;
  const Repository& repo_;
  const std::string where_;
  FsckReport& report_;
};

FsckReport CheckStore(JobContext& context) {
  FsckReport report = storage::history::Fsck(context.store, context.journal);
  for (const RepoName& name : report.repos) {
    const Result<Repository> repo = Repository::Open(context.store, name);
    if (repo.ok()) RepoFilesCheck(context, *repo, report).Run();
    if (!repo.ok()) report.problems.push_back({"repo " + name.value(), repo.status().message()});
  }
  return report;
}

std::string ResultOf(const FsckReport& report) {
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
    const auto check = [&context]() -> Result<FsckReport> { return CheckStore(context); };
    EMEND_CO_ASSIGN_OR_RETURN(const FsckReport report, co_await Blocking(context.runtime, check));
    co_return JobOutcome{ResultOf(report), {}};
  }
};

}  // namespace

extern const OperationKind kFsck;
const OperationKind kFsck = {"fsck", "admin", Subject::kStore, ReadAs<FsckRequest>};

}  // namespace emend::coordinator::operations
