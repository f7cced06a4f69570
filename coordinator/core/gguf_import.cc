#include "coordinator/core/gguf_import.h"

#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "coordinator/core/gguf_plan.h"
#include "coordinator/core/gguf_tensors.h"
#include "coordinator/core/gguf_tokenizer.h"
#include "coordinator/core/loadable_model.h"
#include "storage/checkpoint/gguf.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::coordinator::core {
namespace {

using storage::checkpoint::GgufFile;
using storage::checkpoint::TensorSource;

constexpr char kWeightsFile[] = "/model.safetensors";

Status WriteText(FileSystem& files, const std::string& path, const std::string& text) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<NewFile> file, files.CreateFile(path));
  EMEND_RETURN_IF_ERROR(
      file->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  return file->Sync();
}

Status WriteTexts(FileSystem& files, const GgufFile& file, const std::string& config,
                  const std::string& folder) {
  EMEND_ASSIGN_OR_RETURN(const GgufTokenizer tokenizer, ConvertTokenizer(file));
  EMEND_RETURN_IF_ERROR(WriteText(files, folder + "/config.json", config));
  EMEND_RETURN_IF_ERROR(WriteText(files, folder + "/tokenizer.json", tokenizer.tokenizer));
  EMEND_RETURN_IF_ERROR(
      WriteText(files, folder + "/tokenizer_config.json", tokenizer.tokenizer_config));
  if (tokenizer.generation_config.empty()) return OkStatus();
  return WriteText(files, folder + "/generation_config.json", tokenizer.generation_config);
}

}  // namespace

bool IsGguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) return false;
  std::string begin(kMagic.size(), '\0');
  std::ifstream(path, std::ios::binary)
      .read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return begin == kMagic || std::filesystem::path(path).extension() == ".gguf";
}

Result<std::unique_ptr<WorkFolder>> ConvertGguf(FileSystem& files, const std::string& gguf,
                                                const GgufTarget& target) {
  EMEND_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(gguf));
  EMEND_ASSIGN_OR_RETURN(const GgufPlan plan, PlanGguf(file));
  EMEND_ASSIGN_OR_RETURN(auto work, WorkFolder::Create(files, target.parent, target.owner));
  const std::string& folder = work->contents();
  EMEND_RETURN_IF_ERROR(WriteTexts(files, file, plan.config, folder));
  std::vector<TensorSource> sources;
  for (const GgufTensorPlan& tensor : plan.tensors) sources.push_back(ConvertedTensor(tensor));
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  EMEND_RETURN_IF_ERROR(
      storage::checkpoint::WriteSafetensorsHole(folder + kWeightsFile, sources, metadata));
  EMEND_RETURN_IF_ERROR(
      OpenLoadableModel(folder).status().WithContext("converting the GGUF file \"" + gguf + "\""));
  if (target.weights == GgufWeights::kWritten) {
    EMEND_RETURN_IF_ERROR(
        storage::checkpoint::StreamSafetensors(folder + kWeightsFile, sources, metadata));
  }
  return work;
}

}  // namespace emend::coordinator::core
