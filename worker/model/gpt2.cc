// GPT-2: LayerNorm before each half, learned positions, one fused query-key-value projection,
// projections stored [in, out] (Conv1D).
#include <ATen/ATen.h>

#include <utility>

#include "worker/model/activation.h"
#include "worker/model/decoder.h"
#include "worker/model/families.h"
#include "worker/model/weight_reader.h"

namespace emend::worker::model {
namespace {

class Gpt2 final : public Decoder {
 public:
  Gpt2(ModelConfig config, const ShardPlan& shard, DecoderWeights weights,
       collective::Communicator& communicator, at::Tensor position_embedding, Activation activation)
      : Decoder(std::move(config), shard, std::move(weights), communicator),
        position_embedding_(std::move(position_embedding)),
        activation_(activation) {}

  at::Tensor Embed(const at::Tensor& ids, const at::Tensor& positions) const override {
    return at::add(EmbedTokens(ids), at::embedding(position_embedding_, positions));
  }

 private:
  std::unique_ptr<Decoder> Clone() const override { return std::make_unique<Gpt2>(*this); }
  at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const override {
    return at::layer_norm(input, {config().hidden}, norm.weight, norm.bias, config().norm_epsilon);
  }
  at::Tensor Key(const at::Tensor& up) const override { return Activate(activation_, up); }

  at::Tensor position_embedding_;  // [context, d]
  Activation activation_;
};

void DeclareHarmless(ConfigJson& json) {
  json.HarmlessEverywhere();
  json.Harmless({"attn_pdrop", "embd_pdrop", "resid_pdrop", "reorder_and_upcast_attn",
                 "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                 "summary_type", "summary_use_proj"});
}

Result<ModelConfig> ReadConfig(ConfigJson& json) {
  ModelConfig config;
  config.family = "gpt2";
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("n_layer", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("n_embd", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("n_inner", 4 * config.hidden));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("n_head", {}));
  EMEND_ASSIGN_OR_RETURN(config.vocabulary, json.Integer("vocab_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("n_positions", {}));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t n_ctx, json.Integer("n_ctx", config.context));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("layer_norm_epsilon", 1e-5));
  EMEND_ASSIGN_OR_RETURN(config.activation, json.Text("activation_function", "gelu_new"));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", true));
  EMEND_ASSIGN_OR_RETURN(config.bos_token, json.Token("bos_token_id"));
  EMEND_ASSIGN_OR_RETURN(config.eos_token, json.Token("eos_token_id"));
  EMEND_RETURN_IF_ERROR(json.RequireFlag("scale_attn_weights", true));
  EMEND_RETURN_IF_ERROR(json.RequireFlag("scale_attn_by_inverse_layer_idx", false));
  EMEND_RETURN_IF_ERROR(json.RequireFlag("add_cross_attention", false));
  EMEND_RETURN_IF_ERROR(json.RequireFlag("is_encoder_decoder", false));
  DeclareHarmless(json);
  EMEND_RETURN_IF_ERROR(json.RefuseUnread());
  if (config.hidden % config.heads != 0 || n_ctx != config.context) {
    return Status(
        StatusCode::kInvalidArgument, "bad_config",
        "reading " + json.name() +
            ": expected n_embd to be a multiple of n_head, and n_ctx to equal n_positions");
  }
  config.kv_heads = config.heads;
  config.head_dim = config.hidden / config.heads;
  return config;
}

Result<Norm> TakeNorm(WeightReader& reader, const std::string& name, std::int64_t width) {
  Norm norm;
  EMEND_ASSIGN_OR_RETURN(norm.weight, reader.Take(name + ".weight", {width}));
  EMEND_ASSIGN_OR_RETURN(norm.bias, reader.Take(name + ".bias", {width}));
  return norm;
}

// The cuts of a projection's weight [in, out] and of its bias.
struct ProjectionCut {
  Cut weight;
  Cut bias;
};
ProjectionCut CutOutputs(const std::vector<Slice>& slices) { return {{1, slices}, {0, slices}}; }
ProjectionCut CutInputs(Slice slice) { return {Rows(slice), {}}; }

Result<Projection> TakeProjection(WeightReader& reader, const std::string& name, std::int64_t in,
                                  std::int64_t out, const ProjectionCut& cut) {
  Projection projection;
  EMEND_ASSIGN_OR_RETURN(projection.weight, reader.Take(name + ".weight", {in, out}, cut.weight));
  EMEND_ASSIGN_OR_RETURN(projection.bias, reader.Take(name + ".bias", {out}, cut.bias));
  return projection;
}

Result<Block> TakeBlock(WeightReader& reader, const std::string& name, const ModelConfig& config,
                        const ShardPlan& shard) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  const Slice heads = shard.heads * config.head_dim;
  const ProjectionCut fused =
      CutOutputs({heads, {d + heads.begin, heads.size}, {2 * d + heads.begin, heads.size}});
  Block block;
  EMEND_ASSIGN_OR_RETURN(block.attention_norm, TakeNorm(reader, name + "ln_1", d));
  EMEND_ASSIGN_OR_RETURN(block.query_key_value,
                         TakeProjection(reader, name + "attn.c_attn", d, 3 * d, fused));
  EMEND_ASSIGN_OR_RETURN(block.attention_out,
                         TakeProjection(reader, name + "attn.c_proj", d, d, CutInputs(heads)));
  EMEND_ASSIGN_OR_RETURN(block.mlp_norm, TakeNorm(reader, name + "ln_2", d));
  EMEND_ASSIGN_OR_RETURN(block.up, TakeProjection(reader, name + "mlp.c_fc", d, d_ff,
                                                  CutOutputs({shard.intermediate})));
  EMEND_ASSIGN_OR_RETURN(block.down, TakeProjection(reader, name + "mlp.c_proj", d_ff, d,
                                                    CutInputs(shard.intermediate)));
  block.down_stored = {.tensor = name + "mlp.c_proj.weight", .stored_in_out = true};
  return block;
}

// The causal mask that older files carry as a buffer.
bool IsHarmlessBuffer(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
}

}  // namespace

Result<std::unique_ptr<Transformer>> LoadGpt2(ConfigJson& json,
                                              const storage::checkpoint::Checkpoint& checkpoint,
                                              const Placement& placement) {
  EMEND_ASSIGN_OR_RETURN(ModelConfig config, ReadConfig(json));
  EMEND_ASSIGN_OR_RETURN(const Activation activation, ActivationFromName(config.activation));
  config.activation = ActivationName(activation);

  EMEND_ASSIGN_OR_RETURN(const ShardPlan shard, PlanShard(config, placement.communicator.rank(),
                                                          placement.communicator.size()));

  WeightReader reader(checkpoint, placement.device);
  const Cut vocabulary = Rows(shard.vocabulary);
  const std::string prefix = reader.Has("wte.weight") ? "" : "transformer.";
  DecoderWeights weights;
  EMEND_ASSIGN_OR_RETURN(
      weights.token_embedding,
      reader.Take(prefix + "wte.weight", {config.vocabulary, config.hidden}, vocabulary));
  EMEND_ASSIGN_OR_RETURN(at::Tensor positions,
                         reader.Take(prefix + "wpe.weight", {config.context, config.hidden}));
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    EMEND_ASSIGN_OR_RETURN(
        Block block, TakeBlock(reader, prefix + "h." + std::to_string(layer) + ".", config, shard));
    weights.blocks.push_back(std::move(block));
  }
  EMEND_ASSIGN_OR_RETURN(weights.final_norm, TakeNorm(reader, prefix + "ln_f", config.hidden));
  EMEND_ASSIGN_OR_RETURN(weights.head,
                         reader.TakeHead("lm_head.weight", {config.vocabulary, config.hidden},
                                         vocabulary, weights.token_embedding, config.tied_head));
  EMEND_RETURN_IF_ERROR(reader.RefuseUntaken(IsHarmlessBuffer));
  weights.file_bytes = reader.bytes_read();
  weights.held_bytes = reader.bytes_held();
  return std::unique_ptr<Transformer>(
      std::make_unique<Gpt2>(std::move(config), shard, std::move(weights), placement.communicator,
                             std::move(positions), activation));
}

}  // namespace emend::worker::model
