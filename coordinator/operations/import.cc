// import: a new repo whose base is a model's folder, or what a GGUF file becomes.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "coordinator/core/model_import.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "storage/objects/edit_set.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kRepoIdBytes = 16;

class ImportRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Require("model", model_);
    reader.Text("message", message_);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {
        .role = Role::kImports, .pool = Pool::kFiles, .cost = jobs::kWholeModelCost, .repo = repo};
  }

  Status Check(JobContext& context, const RepoName&) const override {
    return context.layout.Admit(model_).status();
  }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    JobContext& context = *input.context;
    EMEND_CO_RETURN_IF_ERROR(storage::history::CheckRepoName(input.operation.repo));
    EMEND_CO_ASSIGN_OR_RETURN(
        const core::ImportedModel model,
        co_await Blocking(context.runtime, [&]() -> Result<core::ImportedModel> {
          EMEND_ASSIGN_OR_RETURN(const std::string source, context.layout.Admit(model_));
          return core::ImportModel(context.file_system, source, context.layout,
                                   WorkOwner(input, "import"));
        }));
    storage::history::RepoRecord record;
    record.name = RepoName(input.operation.repo);
    record.id = storage::objects::RepoId(context.runtime.random().Bytes(kRepoIdBytes));
    record.base = model.id;
    record.base_encoded = EncodeBase(model.base);
    record.left_out = model.left_out;
    record.created_ms = context.runtime.clock().WallNow().time_since_epoch().count();
    const std::string message = message_.empty() ? "Import " + model_ : message_;
    auto apply = [record, message, warnings = model.warnings, &context](
                     storage::records::Transaction& transaction, std::string& result) -> Status {
      EMEND_ASSIGN_OR_RETURN(const CommitId commit,
                             Repository::Create(transaction, record, message));
      const storage::objects::ObjectStore objects(context.store, record.id);
      storage::kv::WriteBatch unused;
      const StateId empty = IdOf(
          storage::objects::State{record.base, storage::objects::EditSets(objects).Empty(unused)});
      result =
          ordered_json{{"repo", record.name.value()}, {"commit", commit.Hex()},
                       {"state", empty.Hex()},        {"base", record.base.Hex()},
                       {"warnings", warnings},        {"left_out", LeftOutJson(record.left_out)}}
              .dump(-1, ' ', false, ordered_json::error_handler_t::replace);
      return OkStatus();
    };
    co_return JobOutcome{"{}", std::move(apply)};
  }

  std::string model_;  // folder or GGUF file on the coordinator's machine, below a model root
  std::string message_;
};

}  // namespace

extern const OperationKind kImport;
const OperationKind kImport = {"import", "admin", Subject::kNewRepo, ReadAs<ImportRequest>};

}  // namespace emend::coordinator::operations
