// export: a state as a model's folder.
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/state_builder.h"
#include "coordinator/core/stored_base.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::checkpoint::ModelFiles;

// The folder, without links. What is written first is admitted as what is written in the end is.
Result<std::string> AdmitTarget(JobContext& context, const std::string& named) {
  EMEND_ASSIGN_OR_RETURN(std::string folder, context.layout.Admit(named));
  EMEND_ASSIGN_OR_RETURN(const std::string place,
                         storage::checkpoint::ExportWorkPlace(context.file_system, folder));
  EMEND_RETURN_IF_ERROR(context.layout.Admit(place).status().WithContext(
      "exporting to \"" + folder + "\", which is not there: it would be made in \"" + place +
      "\""));
  return folder;
}

Result<ModelFiles> ExportFiles(JobContext& context, const Located& located,
                               const storage::checkpoint::ExportTarget& target) {
  EMEND_ASSIGN_OR_RETURN(const core::StoredBase base,
                         core::OpenBase(context.layout, located.repository.record()));
  EMEND_RETURN_IF_ERROR(base.Check());
  EMEND_ASSIGN_OR_RETURN(auto rebuilt,
                         core::RebuildState(base, located.repository, located.commit.state));
  std::vector<storage::checkpoint::Replacement> replacements;
  for (auto& [name, tensor] : rebuilt) replacements.push_back({name, std::move(tensor.bytes)});
  EMEND_ASSIGN_OR_RETURN(ModelFiles exported,
                         storage::checkpoint::ExportCheckpoint(
                             context.file_system, *base.checkpoint, replacements, target));
  const storage::checkpoint::LeftOut& at_import = located.repository.record().left_out;
  exported.left_out.insert(at_import.begin(), at_import.end());
  return exported;
}

class ExportRequest final : public RevisionRequest {
 public:
  void Read(JsonReader& reader) {
    std::string format = "safetensors";
    ReadRevision(reader);
    reader.Text("format", format);
    reader.Require("folder", folder_);
    if (format != "safetensors")
      reader.Fail("format",
                  "found \"" + Shortened(format) + "\", this version exports \"safetensors\"");
  }
  Demand DemandOn(const std::string& repo) const override {
    return {
        .role = Role::kReads, .pool = Pool::kFiles, .cost = jobs::kWholeModelCost, .repo = repo};
  }
  Status Check(JobContext& context, const RepoName& repo) const override {
    EMEND_ASSIGN_OR_RETURN(const std::string folder, AdmitTarget(context, folder_));
    EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(context.store, repo));
    EMEND_ASSIGN_OR_RETURN(const storage::objects::Base base,
                           storage::objects::DecodeBase(repository.record().base_encoded));
    std::set<std::string> names;
    for (const auto& [name, digest] : base.files) names.insert(name);
    return storage::checkpoint::CheckExportFolder(context.file_system, folder, names);
  }

 private:
  Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const override {
    JobContext& context = *input.context;
    std::string folder;
    EMEND_CO_ASSIGN_OR_RETURN(
        const ModelFiles files, co_await Blocking(context.runtime, [&]() -> Result<ModelFiles> {
          EMEND_ASSIGN_OR_RETURN(folder, AdmitTarget(context, folder_));
          return ExportFiles(context, located,
                             {folder, WorkOwner(input, located.repository.record().id.value())});
        }));
    ordered_json json = LocatedJson(located.id, located.commit.state);
    json["folder"] = folder;
    json["files"] = files.taken;
    json["left_out"] = LeftOutJson(files.left_out);
    co_return JobOutcome{json.dump(-1, ' ', false, ordered_json::error_handler_t::replace), {}};
  }

  std::string folder_;  // new or empty, on the coordinator's machine, below a model root
};

}  // namespace

extern const OperationKind kExport;
const OperationKind kExport = {"export", "read", Subject::kRepo, ReadAs<ExportRequest>};

}  // namespace emend::coordinator::operations
