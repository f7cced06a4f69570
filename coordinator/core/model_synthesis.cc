#include "coordinator/core/model_synthesis.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "coordinator/core/random_weights.h"
#include "storage/base/work_folder.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/delta/rounding.h"
#include "worker/families/config_json.h"
#include "worker/families/families.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::coordinator::core {
namespace {

namespace fs = std::filesystem;
using storage::checkpoint::AppendBytes;
using storage::checkpoint::TensorSource;
using storage::delta::DType;
using worker::families::ConfigJson;
using worker::families::ModelPlan;
using worker::families::NormPlan;
using worker::families::TensorPlan;
using worker::tokenizer::Tokenizer;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr double kUsualDeviation = 0.02;
// Of a folder: what a tokenizer and a chat template are read from.
constexpr std::array kTokenizerFiles = {
    "tokenizer.json", "tokenizer.model",         "added_tokens.json", "tokenizer_config.json",
    "vocab.json",     "special_tokens_map.json", "merges.txt",        "chat_template.jinja"};

struct Drawing {
  DType dtype = DType::kBF16;
  double deviation = kUsualDeviation;
};

Result<Drawing> ReadDrawing(ConfigJson config) {
  constexpr std::array kTypes = {std::pair{"bfloat16", DType::kBF16},
                                 std::pair{"float16", DType::kF16},
                                 std::pair{"float32", DType::kF32}};
  Drawing drawing;
  EMEND_ASSIGN_OR_RETURN(drawing.deviation,
                         config.PositiveNumber("initializer_range", kUsualDeviation));
  if (drawing.deviation > NormalQuantiles::kDeviationMax)
    return config.Bad("\"initializer_range\": found " + std::to_string(drawing.deviation) +
                      ", expected at most " + std::to_string(NormalQuantiles::kDeviationMax));
  for (const char* key : {"torch_dtype", "dtype"}) {
    EMEND_ASSIGN_OR_RETURN(const std::string name, config.Text(key, ""));
    const auto found = std::ranges::find(kTypes, name, &std::pair<const char*, DType>::first);
    if (found != kTypes.end()) drawing.dtype = found->second;
    if (found == kTypes.end() && !name.empty())
      return config.Unsupported(key, "\"bfloat16\", \"float16\" and \"float32\"");
  }
  return drawing;
}

// Every element the same: 1 where a norm scales by what is stored, else 0.
Status AppendConstant(DType dtype, std::uint64_t elements, bool is_one, const AppendBytes& append) {
  constexpr std::int64_t kOne = std::int64_t{1} << 48;
  const std::vector<std::uint8_t> zeros(elements * storage::delta::ElementBytes(dtype));
  if (!is_one) return append(zeros);
  std::vector<std::uint8_t> ones(zeros.size());
  storage::delta::RoundElements(dtype, zeros, std::vector<std::int64_t>(elements, kOne), ones);
  return append(ones);
}

Status AppendRandom(RandomStream stream, std::uint64_t size, const AppendBytes& append) {
  std::vector<std::uint8_t> chunk(kChunkBytes);
  for (std::uint64_t left = size; left > 0; left -= chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(left, chunk.size()));
    stream.Fill(chunk);
    EMEND_RETURN_IF_ERROR(append(chunk));
  }
  return OkStatus();
}

// Each tensor of the plan once, though two parts of it may share one.
std::vector<TensorSource> Sources(const ModelPlan& model, const Drawing& drawing,
                                  std::uint64_t seed) {
  std::set<std::string> scales, taken;
  for (const NormPlan* const norm : NormsOf(model))
    if (!norm->is_stored_less_one) scales.insert(norm->weight.name);
  const auto quantiles = std::make_shared<const NormalQuantiles>(drawing.dtype, drawing.deviation);
  std::vector<TensorSource> sources;
  for (const TensorPlan* const tensor : TensorsOf(model)) {
    if (!taken.insert(tensor->name).second) continue;
    TensorSource& source = sources.emplace_back(TensorSource{
        tensor->name, drawing.dtype, {tensor->shape.begin(), tensor->shape.end()}, {}});
    const auto elements = static_cast<std::uint64_t>(ElementsOf(*tensor));
    if (tensor->shape.size() == 1) {
      source.parts = [dtype = drawing.dtype, elements,
                      is_one = scales.contains(tensor->name)](const AppendBytes& append) {
        return AppendConstant(dtype, elements, is_one, append);
      };
    } else {
      source.parts = [quantiles, seed, name = tensor->name, elements](const AppendBytes& append) {
        return AppendRandom(RandomStream(*quantiles, seed, name),
                            elements * quantiles->element_bytes(), append);
      };
    }
  }
  return sources;
}

Status CheckTokenizer(const std::string& folder, std::int64_t rows) {
  EMEND_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::OpenFolder(folder));
  const auto beyond = tokenizer->IdsFrom(rows);
  if (beyond.empty()) return OkStatus();
  return {StatusCode::kInvalidArgument, "tokenizer_too_large",
          "synthesising a model with the tokenizer of \"" + folder + "\": its ids go up to " +
              std::to_string(beyond.back()) + ", and config.json's vocab_size is " +
              std::to_string(rows) + "; name a tokenizer of fewer ids, or a larger vocab_size"};
}

Status CopyTokenizer(FileSystem& files, const std::string& from, const std::string& to) {
  for (const char* const name : kTokenizerFiles) {
    if (!files.Exists(from + "/" + name)) continue;
    EMEND_ASSIGN_OR_RETURN(const std::string text, files.Read(from + "/" + name));
    EMEND_RETURN_IF_ERROR(files.WriteAtomically(to + "/" + name, text, 0644));
  }
  return OkStatus();
}

// A folder that is there keeps its owner and mode.
Status Publish(FileSystem& files, WorkFolder& work, const SynthesisedModel& model,
               const std::string& folder) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(folder));
  return kind == EntryKind::kFolder ? work.PublishInto(folder, model.files)
                                    : work.PublishAs(folder);
}

}  // namespace

Result<SynthesisedModel> SynthesiseModel(FileSystem& files, const SynthesisRequest& request) {
  EMEND_ASSIGN_OR_RETURN(const std::string config, files.Read(request.config));
  EMEND_ASSIGN_OR_RETURN(const ModelPlan plan,
                         worker::families::PlanConfig(config, request.config));
  EMEND_ASSIGN_OR_RETURN(ConfigJson json, ConfigJson::Parse(config, request.config));
  EMEND_ASSIGN_OR_RETURN(const Drawing drawing, ReadDrawing(std::move(json)));
  if (!request.tokenizer.empty())
    EMEND_RETURN_IF_ERROR(CheckTokenizer(request.tokenizer, plan.config.vocabulary));
  EMEND_RETURN_IF_ERROR(storage::checkpoint::CheckExportFolder(files, request.folder, {}));

  const fs::path folder(request.folder);
  EMEND_RETURN_IF_ERROR(files.CreateFolders(folder.parent_path().string()));
  EMEND_ASSIGN_OR_RETURN(const auto work,
                         WorkFolder::Create(files, folder.parent_path().string(),
                                            "synth-" + folder.filename().string()));
  const std::string& contents = work->contents();
  const std::vector<TensorSource> sources = Sources(plan, drawing, request.seed);
  EMEND_RETURN_IF_ERROR(files.WriteAtomically(contents + "/config.json", config, 0644));
  if (!request.tokenizer.empty())
    EMEND_RETURN_IF_ERROR(CopyTokenizer(files, request.tokenizer, contents));
  EMEND_RETURN_IF_ERROR(storage::checkpoint::StreamCheckpoint(contents, sources, {{"format", "pt"}},
                                                              request.file_bytes_max));
  EMEND_ASSIGN_OR_RETURN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(contents));
  EMEND_RETURN_IF_ERROR(worker::families::PlanModel(*checkpoint).status());

  SynthesisedModel model;
  model.family = plan.config.family;
  model.dtype = drawing.dtype;
  for (const auto& [name, view] : checkpoint->tensors()) model.weights_bytes += view.bytes.size();
  model.parameters = model.weights_bytes / storage::delta::ElementBytes(drawing.dtype);
  EMEND_ASSIGN_OR_RETURN(model.files, files.List(contents));
  EMEND_RETURN_IF_ERROR(Publish(files, *work, model, request.folder));
  return model;
}

}  // namespace emend::coordinator::core
