// From a folder to a model: the plan of its family, then the weights by the plan.
#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "worker/families/families.h"
#include "worker/model/decoder.h"
#include "worker/model/guard.h"
#include "worker/model/weight_reader.h"

namespace emend::worker::model {
namespace {

using families::BlockPlan;
using families::ModelPlan;
using families::NormPlan;
using families::ProjectionPlan;
using families::RotaryPlan;
using families::TensorPlan;
using storage::checkpoint::Checkpoint;

// Angles in fp32, as the reference implementation computes them.
Rotation MakeRotation(const RotaryPlan& rotary, const ModelConfig& config, at::Device device) {
  const at::Tensor frequencies = at::tensor(rotary.frequencies, at::kFloat);
  const at::Tensor angles = at::outer(at::arange(config.context, at::kFloat), frequencies);
  return {.cosine = at::cos(angles).mul_(rotary.magnitude).to(device),
          .sine = at::sin(angles).mul_(rotary.magnitude).to(device),
          .is_interleaved = rotary.is_interleaved};
}

Result<Norm> Take(WeightReader& reader, const NormPlan& plan) {
  Norm norm;
  EMEND_ASSIGN_OR_RETURN(norm.weight, reader.Take(plan.weight));
  if (plan.is_stored_less_one) norm.weight.add_(1);
  norm.is_over_heads = plan.weight.share != families::Share::kWhole;
  if (plan.bias) {
    EMEND_ASSIGN_OR_RETURN(norm.bias, reader.Take(*plan.bias));
  }
  return norm;
}

Result<std::optional<Norm>> Take(WeightReader& reader, const std::optional<NormPlan>& plan) {
  if (!plan) return std::optional<Norm>();
  EMEND_ASSIGN_OR_RETURN(Norm norm, Take(reader, *plan));
  return std::optional<Norm>(std::move(norm));
}

// Turned to [in, out]; several beside each other, or, along dimension 0, below each other.
Result<Projection> Take(WeightReader& reader, const ProjectionPlan& plan,
                        std::int64_t dimension = 1) {
  std::vector<at::Tensor> weights, biases;
  for (const TensorPlan& weight : plan.weights) {
    EMEND_ASSIGN_OR_RETURN(const at::Tensor taken, reader.Take(weight));
    weights.push_back(plan.stored_in_out ? taken : taken.t());
  }
  for (const TensorPlan& bias : plan.biases) {
    EMEND_ASSIGN_OR_RETURN(biases.emplace_back(), reader.Take(bias));
  }
  const at::Tensor joined = weights.size() == 1 ? weights[0] : at::cat(weights, dimension);
  Projection projection{.weight = joined.contiguous(), .bias = {}};
  if (!biases.empty()) projection.bias = biases.size() == 1 ? biases[0] : at::cat(biases, 0);
  return projection;
}

// The up projections of experts apart: [experts, d, ..].
Result<Experts> TakeExperts(WeightReader& reader, const families::ExpertsPlan& plan,
                            at::Tensor& up) {
  EMEND_ASSIGN_OR_RETURN(Projection router, Take(reader, plan.router));
  up = up.view({up.size(0), plan.count, up.size(1) / plan.count}).transpose(0, 1).contiguous();
  return Experts{std::move(router.weight), plan.active, plan.is_normed};
}

// What edits change, of this rank.
DownProjection Describe(const BlockPlan& plan, const ShardPlan& shard) {
  DownProjection down{.tensors = {}, .stored_in_out = plan.down.stored_in_out};
  for (const TensorPlan& weight : plan.down.weights) down.tensors.push_back(weight.name);
  if (plan.experts) down.active = plan.experts->active;
  down.width = plan.down.weights.at(0).shape.at(down.stored_in_out ? 0 : 1);
  down.own = families::CutIntermediate(down.width, shard.rank, shard.ranks);
  return down;
}

// All but the rotation, which blocks share.
Result<Block> Take(WeightReader& reader, const BlockPlan& plan, const ShardPlan& shard) {
  Block block;
  EMEND_ASSIGN_OR_RETURN(block.attention_norm, Take(reader, plan.attention_norm));
  EMEND_ASSIGN_OR_RETURN(block.query_key_value, Take(reader, plan.query_key_value));
  EMEND_ASSIGN_OR_RETURN(block.query_norm, Take(reader, plan.query_norm));
  EMEND_ASSIGN_OR_RETURN(block.key_norm, Take(reader, plan.key_norm));
  EMEND_ASSIGN_OR_RETURN(block.attention_out, Take(reader, plan.attention_out));
  EMEND_ASSIGN_OR_RETURN(block.attention_post_norm, Take(reader, plan.attention_post_norm));
  EMEND_ASSIGN_OR_RETURN(block.mlp_norm, Take(reader, plan.mlp_norm));
  EMEND_ASSIGN_OR_RETURN(block.up, Take(reader, plan.up));
  if (plan.experts) {
    EMEND_ASSIGN_OR_RETURN(block.experts, TakeExperts(reader, *plan.experts, block.up.weight));
  }
  EMEND_ASSIGN_OR_RETURN(block.down, Take(reader, plan.down, 0));
  EMEND_ASSIGN_OR_RETURN(block.mlp_post_norm, Take(reader, plan.mlp_post_norm));
  block.attention = plan.attention;
  block.is_parallel = plan.is_parallel;
  block.down_stored = Describe(plan, shard);
  return block;
}

Result<std::unique_ptr<Transformer>> LoadChecked(const Checkpoint& checkpoint,
                                                 collective::Communicator& communicator,
                                                 at::Device device) {
  EMEND_ASSIGN_OR_RETURN(ModelPlan plan, families::PlanModel(checkpoint));
  EMEND_ASSIGN_OR_RETURN(
      const ShardPlan shard,
      families::PlanShard(plan.config, communicator.rank(), communicator.size()));
  EMEND_ASSIGN_OR_RETURN(DecoderWeights weights, TakeWeights(plan, checkpoint, shard, device));
  return std::unique_ptr<Transformer>(
      std::make_unique<Decoder>(std::move(plan.config), shard, std::move(weights), communicator));
}

}  // namespace

Result<DecoderWeights> TakeWeights(const ModelPlan& plan, const Checkpoint& checkpoint,
                                   const ShardPlan& shard, at::Device device) {
  const families::ModelLayout& layout = plan.layout;
  WeightReader reader(checkpoint, plan, shard, device);
  DecoderWeights weights;
  EMEND_ASSIGN_OR_RETURN(weights.token_embedding, reader.Take(layout.token_embedding));
  if (layout.position_embedding) {
    EMEND_ASSIGN_OR_RETURN(weights.position_embedding, reader.Take(*layout.position_embedding));
  }
  const std::vector<RotaryPlan> rotaries = families::RotariesOf(layout);
  std::vector<Rotation> rotations;
  for (const RotaryPlan& rotary : rotaries) {
    const Rotation& made = rotations.emplace_back(MakeRotation(rotary, plan.config, device));
    weights.held_bytes += made.cosine.nbytes() + made.sine.nbytes();
  }
  for (const BlockPlan& block_plan : layout.blocks) {
    EMEND_ASSIGN_OR_RETURN(Block block, Take(reader, block_plan, shard));
    if (block_plan.rotary) {
      const auto found = std::ranges::find(rotaries, *block_plan.rotary);
      block.rotation = rotations[static_cast<std::size_t>(found - rotaries.begin())];
    }
    weights.blocks.push_back(std::move(block));
  }
  EMEND_ASSIGN_OR_RETURN(weights.final_norm, Take(reader, layout.final_norm));
  EMEND_ASSIGN_OR_RETURN(weights.head, reader.TakeHead(weights.token_embedding));
  if (layout.head_bias) {
    EMEND_ASSIGN_OR_RETURN(weights.head_bias, reader.Take(*layout.head_bias));
  }
  weights.file_bytes = reader.bytes_read();
  weights.held_bytes += reader.bytes_held();
  return weights;
}

Result<std::unique_ptr<Transformer>> Transformer::Load(const Checkpoint& checkpoint,
                                                       collective::Communicator& communicator,
                                                       at::Device device) {
  return Guarded("loading " + checkpoint.folder(),
                 [&] { return LoadChecked(checkpoint, communicator, device); });
}

}  // namespace emend::worker::model
