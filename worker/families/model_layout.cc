#include "worker/families/model_layout.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace emend::worker::families {
namespace {

using storage::checkpoint::Checkpoint;
using storage::checkpoint::TensorView;
using storage::delta::DType;

class TensorList {
 public:
  void Add(const TensorPlan& tensor) { tensors_.push_back(&tensor); }
  void Add(const NormPlan& norm) {
    norms_.push_back(&norm);
    Add(norm.weight);
    Add(norm.bias);
  }
  void Add(const ProjectionPlan& projection) {
    for (const TensorPlan& weight : projection.weights) Add(weight);
    for (const TensorPlan& bias : projection.biases) Add(bias);
  }
  template <typename Part>
  void Add(const std::optional<Part>& part) {
    if (part) Add(*part);
  }
  void Add(const BlockPlan& block) {
    Add(block.attention_norm);
    Add(block.query_key_value);
    Add(block.query_norm);
    Add(block.key_norm);
    Add(block.attention_out);
    Add(block.attention_post_norm);
    Add(block.mlp_norm);
    if (block.experts) Add(block.experts->router);
    Add(block.up);
    Add(block.down);
    Add(block.mlp_post_norm);
  }
  void Add(const ModelPlan& model) {
    const ModelLayout& layout = model.layout;
    Add(layout.token_embedding);
    Add(layout.position_embedding);
    for (const BlockPlan& block : layout.blocks) Add(block);
    Add(layout.final_norm);
    if (!model.config.tied_head) Add(layout.head);
    Add(layout.head_bias);
  }
  std::vector<const TensorPlan*> TakeTensors() { return std::move(tensors_); }
  std::vector<const NormPlan*> TakeNorms() { return std::move(norms_); }

 private:
  std::vector<const TensorPlan*> tensors_;
  std::vector<const NormPlan*> norms_;
};

template <typename T>
std::string ShapeText(const std::vector<T>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

Status CheckTensor(const TensorPlan& tensor, const Checkpoint& checkpoint) {
  const auto found = checkpoint.tensors().find(tensor.name);
  if (found == checkpoint.tensors().end()) {
    return {StatusCode::kInvalidArgument, "missing_tensor",
            "loading " + checkpoint.folder() + ": no tensor " + tensor.name +
                ", expected one of shape " + ShapeText(tensor.shape)};
  }
  const TensorView& view = found->second;
  const bool is_as_planned = std::ranges::equal(
      view.shape, tensor.shape,
      [](std::uint64_t a, std::int64_t b) { return a == static_cast<std::uint64_t>(b); });
  if (!is_as_planned) {
    return {StatusCode::kInvalidArgument, "misshapen_tensor",
            "loading " + checkpoint.folder() + ": tensor " + tensor.name + " has shape " +
                ShapeText(view.shape) + ", and config.json asks for " + ShapeText(tensor.shape)};
  }
  if (view.dtype == DType::kF32 || view.dtype == DType::kBF16 || view.dtype == DType::kF16)
    return OkStatus();
  return {StatusCode::kUnsupported, "unsupported_dtype",
          "loading tensor " + view.name + " of " + view.file + ": found dtype " +
              std::string(DTypeName(view.dtype)) + ", expected F32, BF16 or F16"};
}

Status RefuseSurplus(const std::set<std::string_view>& known, const ModelLayout& layout,
                     const Checkpoint& checkpoint) {
  std::string surplus;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const bool is_buffer = std::ranges::any_of(
        layout.buffers, [&](const std::string& ending) { return name.ends_with(ending); });
    if (!known.contains(name) && !is_buffer) surplus += (surplus.empty() ? "" : ", ") + name;
  }
  if (surplus.empty()) return OkStatus();
  return {StatusCode::kInvalidArgument, "surplus_tensor",
          "loading " + checkpoint.folder() +
              ": tensors that config.json does not account for: " + surplus};
}

// All queries, then all keys, then all values.
Cut CutHeadByHead(int dimension, const Slice& heads, std::int64_t head_dim) {
  Cut cut{.dimension = dimension};
  for (std::int64_t part = 0; part < 3; ++part) {
    for (std::int64_t head = heads.begin; head < heads.end(); ++head)
      cut.slices.push_back({(3 * head + part) * head_dim, head_dim});
  }
  return cut;
}

}  // namespace

std::vector<const TensorPlan*> TensorsOf(const ModelPlan& model) {
  TensorList list;
  list.Add(model);
  return list.TakeTensors();
}

std::vector<const NormPlan*> NormsOf(const ModelPlan& model) {
  TensorList list;
  list.Add(model);
  return list.TakeNorms();
}

std::vector<RotaryPlan> RotariesOf(const ModelLayout& layout) {
  std::vector<RotaryPlan> rotaries;
  for (const BlockPlan& block : layout.blocks) {
    if (block.rotary && std::ranges::find(rotaries, *block.rotary) == rotaries.end())
      rotaries.push_back(*block.rotary);
  }
  return rotaries;
}

Cut CutOf(const TensorPlan& tensor, const ModelConfig& config, const ShardPlan& shard) {
  const Slice heads = shard.heads * config.head_dim, kv_heads = shard.kv_heads * config.head_dim;
  const std::int64_t width = config.heads * config.head_dim,
                     kv_width = config.kv_heads * config.head_dim;
  const auto inner = [&](std::int64_t parts) {
    const auto dimension = static_cast<std::size_t>(tensor.dimension);
    return CutIntermediate(tensor.shape.at(dimension) / parts, shard.rank, shard.ranks);
  };
  switch (tensor.share) {
    case Share::kWhole: return {};
    case Share::kHeads: return {tensor.dimension, {heads}};
    case Share::kKvHeads: return {tensor.dimension, {kv_heads}};
    case Share::kFusedHeads:
      return {tensor.dimension, {heads, kv_heads + width, kv_heads + (width + kv_width)}};
    case Share::kHeadByHead: return CutHeadByHead(tensor.dimension, shard.heads, config.head_dim);
    case Share::kIntermediate: return {tensor.dimension, {inner(1)}};
    case Share::kFusedIntermediate:
      return {tensor.dimension, {inner(2), inner(2) + config.intermediate}};
    case Share::kVocabulary: return {tensor.dimension, {shard.vocabulary}};
  }
  EMEND_CHECK(false, "a share outside its enumeration");
}

std::int64_t ElementsOf(const TensorPlan& tensor) {
  std::int64_t elements = 1;
  for (const std::int64_t size : tensor.shape) elements *= size;
  return elements;
}

std::int64_t ElementsOf(const TensorPlan& tensor, const Cut& cut) {
  const std::int64_t whole = ElementsOf(tensor);
  if (cut.slices.empty()) return whole;
  std::int64_t size = 0;
  for (const Slice& slice : cut.slices) size += slice.size;
  return whole / tensor.shape.at(static_cast<std::size_t>(cut.dimension)) * size;
}

Status UntiedHead(const ModelPlan& model, const std::string& folder) {
  return {StatusCode::kInvalidArgument, "untied_head",
          "loading " + folder + ": config.json ties the head to the embedding, and tensor " +
              model.layout.head.name + " differs from it"};
}

Status CheckTensors(const ModelPlan& model, const Checkpoint& checkpoint) {
  std::set<std::string_view> known;
  for (const TensorPlan* const tensor : TensorsOf(model)) {
    EMEND_RETURN_IF_ERROR(CheckTensor(*tensor, checkpoint));
    known.insert(tensor->name);
  }
  const std::string& head = model.layout.head.name;
  if (model.config.tied_head && checkpoint.tensors().contains(head)) {
    EMEND_RETURN_IF_ERROR(CheckTensor(model.layout.head, checkpoint));
    known.insert(head);
  }
  return RefuseSurplus(known, model.layout, checkpoint);
}

}  // namespace emend::worker::families
