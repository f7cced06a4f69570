#include "worker/model/families.h"

#include <array>

#include "storage/base/file_system.h"
#include "worker/model/guard.h"

namespace emend::worker::model {
namespace {

constexpr std::array kFamilies = {
    Family{"gpt2", LoadGpt2},
    Family{"llama", LoadLlama},
};

Result<std::unique_ptr<Transformer>> LoadChecked(const storage::checkpoint::Checkpoint& checkpoint,
                                                 const Placement& placement) {
  const std::string path = checkpoint.folder() + "/config.json";
  EMEND_ASSIGN_OR_RETURN(const std::string text, PosixFileSystem().Read(path));
  EMEND_ASSIGN_OR_RETURN(ConfigJson json, ConfigJson::Parse(text, path));
  EMEND_ASSIGN_OR_RETURN(const std::string model_type, json.Text("model_type", {}));
  EMEND_ASSIGN_OR_RETURN(const Family family, FindFamily(model_type));
  return family.load(json, checkpoint, placement);
}

}  // namespace

Result<Family> FindFamily(std::string_view model_type) {
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  return Status(
      StatusCode::kUnsupported, "unknown_family",
      "unknown model family \"" + std::string(model_type) + "\", expected one of " + known);
}

Result<std::unique_ptr<Transformer>> Transformer::Load(
    const storage::checkpoint::Checkpoint& checkpoint, collective::Communicator& communicator,
    at::Device device) {
  return Guarded("loading " + checkpoint.folder(),
                 [&] { return LoadChecked(checkpoint, {communicator, device}); });
}

}  // namespace emend::worker::model
