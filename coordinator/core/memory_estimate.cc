#include "coordinator/core/memory_estimate.h"

#include <algorithm>

#include "storage/checkpoint/safetensors.h"
#include "worker/families/families.h"
#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::core {
namespace {

using storage::checkpoint::Checkpoint;
using worker::families::BlockPlan;
using worker::families::ModelConfig;
using worker::families::ModelPlan;
using worker::families::ShardPlan;
using worker::families::TensorPlan;

// Bounds of the worker's own: worker/edit/solve_batch.h, worker/edit/targets.cc,
// worker/eval/completion_engine.h.
constexpr std::uint64_t kActivationBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kBucketTokens = 512;
constexpr std::uint64_t kCacheBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kTexts = 64;

// A fact's prompts: with five texts before them and without, and one for what must not drift; of so
// many tokens up to the subject's last and after it.
constexpr std::uint64_t kPromptsPerFact = 7;
constexpr std::uint64_t kPrefixTokens = 20;
constexpr std::uint64_t kSuffixTokens = 6;

// What a payload holds besides columns and names (docs/reference/formats-delta.md): of an edit, and
// of each of its tensors.
constexpr std::uint64_t kPayloadHeadBytes = 34;
constexpr std::uint64_t kPayloadTensorBytes = 25;

std::uint64_t Unsigned(std::int64_t size) { return static_cast<std::uint64_t>(size); }

// A down projection that edits change, or an expert's.
struct EditedTensor {
  const TensorPlan& plan;
  bool stored_in_out = false;
  std::uint64_t element_bytes = 0;  // of the file's dtype
  std::size_t layer = 0;            // counted among those edited
  std::uint64_t width = 0;          // d_ff
  double share = 1;                 // of the edits that change it
};

// An edit's key is the mean over its prompts' lookup tokens, which pass some experts each.
double ShareOfEdits(const BlockPlan& block) {
  if (!block.experts) return 1;
  const double passed = static_cast<double>(block.experts->active) * (kPromptsPerFact - 1);
  return std::min(1.0, passed / static_cast<double>(block.experts->count));
}

Result<std::vector<EditedTensor>> EditedTensors(const ModelPlan& model,
                                                const Checkpoint& checkpoint,
                                                const std::vector<std::int32_t>& layers) {
  std::vector<EditedTensor> edited;
  std::size_t layer_count = 0;
  for (const std::int32_t layer : layers) {
    if (layer < 0 || layer >= model.config.layers) {
      return InvalidArgument("predicting the memory of \"" + checkpoint.folder() +
                             "\": it has no layer " + std::to_string(layer) + " to edit");
    }
    const BlockPlan& block = model.layout.blocks[static_cast<std::size_t>(layer)];
    for (const TensorPlan& down : block.down.weights) {
      EMEND_ASSIGN_OR_RETURN(const auto view, checkpoint.Find(down.name));
      edited.push_back({.plan = down,
                        .stored_in_out = block.down.stored_in_out,
                        .element_bytes = storage::delta::ElementBytes(view.dtype),
                        .layer = layer_count,
                        .width = Unsigned(down.shape[block.down.stored_in_out ? 0 : 1]),
                        .share = ShareOfEdits(block)});
    }
    ++layer_count;
  }
  return edited;
}

// One rank of a model.
class Rank {
 public:
  Rank(const ModelPlan& model, const ShardPlan& shard, const MemoryQuestion& question)
      : model_(model), config_(model.config), shard_(shard), question_(question) {}

  RankMemory Estimate(const std::vector<EditedTensor>& edited) const;

 private:
  std::uint64_t Elements(const TensorPlan& tensor) const {
    return Unsigned(ElementsOf(tensor, CutOf(tensor, config_, shard_)));
  }
  std::uint64_t WeightsBytes() const;
  std::uint64_t StatesBytes(const std::vector<EditedTensor>& edited) const;
  std::uint64_t ActivationsBytes() const;

  const ModelPlan& model_;
  const ModelConfig& config_;
  const ShardPlan shard_;
  const MemoryQuestion& question_;
};

std::uint64_t Rank::WeightsBytes() const {
  std::uint64_t elements = 0;
  for (const TensorPlan* const tensor : TensorsOf(model_)) elements += Elements(*tensor);
  // cosines and sines of the rotations
  for (const auto& rotary : RotariesOf(model_.layout))
    elements += 2 * rotary.frequencies.size() * Unsigned(config_.context);
  return sizeof(float) * elements;
}

std::uint64_t Rank::StatesBytes(const std::vector<EditedTensor>& edited) const {
  std::uint64_t bytes = question_.edits * kPayloadHeadBytes;
  for (const EditedTensor& tensor : edited) {
    const std::uint64_t elements = Elements(tensor.plan);
    bytes += question_.states * elements * (tensor.element_bytes + sizeof(float));
    // A part that does not lie in one piece in the file is copied from it.
    const bool is_cut_by_columns =
        !tensor.stored_in_out && elements < Unsigned(ElementsOf(tensor.plan));
    if (is_cut_by_columns) bytes += elements * tensor.element_bytes;
    // An edit's columns are every rank's, whole.
    const auto edits =
        static_cast<std::uint64_t>(static_cast<double>(question_.edits) * tensor.share);
    bytes += edits * (kPayloadTensorBytes + tensor.plan.name.size() +
                      sizeof(std::int16_t) * (tensor.width + Unsigned(config_.hidden)));
  }
  return bytes;
}

std::uint64_t Rank::ActivationsBytes() const {
  const std::uint64_t above = Unsigned(config_.layers - 1 - question_.layers.back());
  const std::int64_t inner =
      worker::families::CutIntermediate(config_.intermediate, shard_.rank, shard_.ranks).size;
  const std::uint64_t step = sizeof(float) * (above * Unsigned(3 * inner + 14 * config_.hidden) +
                                              Unsigned(3 * config_.vocabulary));
  const std::uint64_t parts =
      question_.ranks == 1 ? static_cast<std::uint64_t>(question_.threads) : 1;
  const std::uint64_t prompt =
      kPrefixTokens * Unsigned(2 * shard_.kv_heads.size * config_.head_dim) * above +
      kSuffixTokens * Unsigned(config_.hidden);
  const std::uint64_t kept =
      question_.edits * sizeof(float) * (kPromptsPerFact * prompt + Unsigned(config_.vocabulary));
  return std::min(kActivationBytesMax, step * kBucketTokens * parts) +
         std::min(kActivationBytesMax, kept);
}

RankMemory Rank::Estimate(const std::vector<EditedTensor>& edited) const {
  RankMemory memory;
  memory.weights_bytes = WeightsBytes();
  memory.states_bytes = StatesBytes(edited);
  for (const EditedTensor& tensor : edited) {
    const bool is_dealt_here =
        std::cmp_equal(tensor.layer % static_cast<std::size_t>(question_.ranks), shard_.rank);
    if (is_dealt_here) memory.statistics_bytes += 2 * sizeof(double) * tensor.width * tensor.width;
    memory.ledgers_bytes += (sizeof(std::int64_t) + sizeof(float)) * Elements(tensor.plan);
  }
  // of the layer at hand
  memory.ledgers_bytes += sizeof(std::int64_t) * Elements(edited[0].plan);
  memory.activations_bytes = ActivationsBytes();
  memory.cache_bytes =
      std::min(kCacheBytesMax, kTexts * sizeof(float) * Unsigned(config_.context * config_.layers) *
                                   Unsigned(2 * shard_.kv_heads.size * config_.head_dim));
  return memory;
}

}  // namespace

Result<MemoryEstimate> EstimateMemory(const std::string& folder, const MemoryQuestion& question) {
  EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder));
  EMEND_ASSIGN_OR_RETURN(const ModelPlan model, worker::families::PlanModel(*checkpoint));
  MemoryQuestion asked = question;
  if (asked.layers.empty()) {
    for (const LayerIndex layer : worker::protocol::DefaultLayers(model.config.layers))
      asked.layers.push_back(layer.value());
  }
  std::ranges::sort(asked.layers);
  asked.layers.erase(std::unique(asked.layers.begin(), asked.layers.end()), asked.layers.end());
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditedTensor> edited,
                         EditedTensors(model, *checkpoint, asked.layers));
  MemoryEstimate estimate{
      .family = model.config.family, .parameters = 0, .layers = asked.layers, .ranks = {}};
  for (const TensorPlan* const tensor : TensorsOf(model))
    estimate.parameters += Unsigned(ElementsOf(*tensor));
  for (int rank = 0; rank < question.ranks; ++rank) {
    EMEND_ASSIGN_OR_RETURN(const ShardPlan shard,
                           worker::families::PlanShard(model.config, rank, question.ranks));
    estimate.ranks.push_back(Rank(model, shard, asked).Estimate(edited));
  }
  return estimate;
}

}  // namespace emend::coordinator::core
