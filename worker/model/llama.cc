// Llama: RMSNorm before each half, rotary positions over half-split heads, grouped keys and values,
// gated feed-forward part, projections stored [out, in].
#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "worker/model/activation.h"
#include "worker/model/decoder.h"
#include "worker/model/families.h"
#include "worker/model/weight_reader.h"

namespace emend::worker::model {
namespace {

struct Rotary {
  at::Tensor cosine;  // [context, head_dim / 2]
  at::Tensor sine;
};

class Llama final : public Decoder {
 public:
  Llama(ModelConfig config, const ShardPlan& shard, DecoderWeights weights,
        collective::Communicator& communicator, Rotary rotary, Activation activation)
      : Decoder(std::move(config), shard, std::move(weights), communicator),
        rotary_(std::move(rotary)),
        activation_(activation) {}

  at::Tensor Embed(const at::Tensor& ids, const at::Tensor&) const override {
    return EmbedTokens(ids);
  }

 private:
  std::unique_ptr<Decoder> Clone() const override { return std::make_unique<Llama>(*this); }
  at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const override {
    const at::Tensor scale =
        at::rsqrt(at::mean(at::square(input), {-1}, /*keepdim=*/true).add_(config().norm_epsilon));
    return at::mul(at::mul(input, scale), norm.weight);
  }
  // Element i of a head is paired with element i + head_dim / 2.
  at::Tensor Rotate(const at::Tensor& heads, const at::Tensor& positions) const override {
    const at::Tensor cosine = at::embedding(rotary_.cosine, positions).unsqueeze(2),
                     sine = at::embedding(rotary_.sine, positions).unsqueeze(2);
    const std::vector<at::Tensor> halves = heads.chunk(2, -1);
    return at::cat({at::sub(at::mul(halves[0], cosine), at::mul(halves[1], sine)),
                    at::add(at::mul(halves[1], cosine), at::mul(halves[0], sine))},
                   -1);
  }
  at::Tensor Key(const at::Tensor& up) const override {
    const std::vector<at::Tensor> halves = up.chunk(2, -1);
    return at::mul(Activate(activation_, halves[0]), halves[1]);
  }

  Rotary rotary_;
  Activation activation_;
};

struct Biases {
  bool attention = false;
  bool mlp = false;
};

// Angles in fp32, as the reference implementation computes them.
Rotary MakeRotary(const ModelConfig& config, at::Device device) {
  const at::Tensor exponents =
      at::arange(0, config.head_dim, 2, at::kFloat).div(static_cast<double>(config.head_dim));
  const at::Tensor frequencies = at::reciprocal(at::pow(config.rope_theta, exponents));
  const at::Tensor angles = at::outer(at::arange(config.context, at::kFloat), frequencies);
  return {.cosine = at::cos(angles).to(device), .sine = at::sin(angles).to(device)};
}

void DeclareHarmless(ConfigJson& json) {
  json.HarmlessEverywhere();
  json.Harmless({"attention_dropout", "pretraining_tp"});
}

// Newer files keep the rotary settings in an object, older ones beside the rest. Scaled rotations
// are another function and refused.
Status ReadRotary(ConfigJson& json, ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(config.rope_theta, json.PositiveNumber("rope_theta", 10000.0));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> rope, json.Object(key));
    if (!rope) continue;
    EMEND_ASSIGN_OR_RETURN(config.rope_theta,
                           rope->PositiveNumber("rope_theta", config.rope_theta));
    for (const char* type : {"rope_type", "type"}) {
      EMEND_ASSIGN_OR_RETURN(const std::string found, rope->Text(type, "default"));
      if (found != "default") {
        return {StatusCode::kUnsupported, "unsupported_config",
                "reading " + rope->name() + ": \"" + type + "\": found \"" + found +
                    "\", and this build computes only \"default\""};
      }
    }
    EMEND_RETURN_IF_ERROR(rope->RefuseUnread());
  }
  return OkStatus();
}

Status CheckHeads(const ConfigJson& json, const ModelConfig& config) {
  if (config.heads % config.kv_heads == 0 && config.head_dim % 2 == 0 && config.head_dim > 0)
    return OkStatus();
  return {StatusCode::kInvalidArgument, "bad_config",
          "reading " + json.name() +
              ": expected num_attention_heads to be a multiple of num_key_value_heads, and an even "
              "head_dim; found " +
              std::to_string(config.heads) + ", " + std::to_string(config.kv_heads) + " and " +
              std::to_string(config.head_dim)};
}

Result<ModelConfig> ReadConfig(ConfigJson& json, Biases& biases) {
  ModelConfig config;
  config.family = "llama";
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("num_hidden_layers", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("hidden_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("intermediate_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("num_attention_heads", {}));
  EMEND_ASSIGN_OR_RETURN(config.kv_heads, json.Integer("num_key_value_heads", config.heads));
  EMEND_ASSIGN_OR_RETURN(config.head_dim, json.Integer("head_dim", config.hidden / config.heads));
  EMEND_ASSIGN_OR_RETURN(config.vocabulary, json.Integer("vocab_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("max_position_embeddings", {}));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("rms_norm_eps", 1e-6));
  EMEND_ASSIGN_OR_RETURN(config.activation, json.Text("hidden_act", "silu"));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", false));
  EMEND_ASSIGN_OR_RETURN(config.bos_token, json.Token("bos_token_id"));
  EMEND_ASSIGN_OR_RETURN(config.eos_token, json.Token("eos_token_id"));
  EMEND_ASSIGN_OR_RETURN(biases.attention, json.Flag("attention_bias", false));
  EMEND_ASSIGN_OR_RETURN(biases.mlp, json.Flag("mlp_bias", false));
  EMEND_RETURN_IF_ERROR(json.RequireFlag("is_encoder_decoder", false));
  EMEND_RETURN_IF_ERROR(ReadRotary(json, config));
  DeclareHarmless(json);
  EMEND_RETURN_IF_ERROR(json.RefuseUnread());
  EMEND_RETURN_IF_ERROR(CheckHeads(json, config));
  return config;
}

// A projection stored [out, in], of which the rank takes these outputs or these inputs.
struct Part {
  const char* name;
  std::int64_t out = 0;
  Cut cut;  // of the weight
};

// Projections of one input, turned to [in, out] and laid side by side.
Result<Projection> TakeProjection(WeightReader& reader, const std::string& prefix,
                                  const std::vector<Part>& parts, std::int64_t in, bool bias) {
  std::vector<at::Tensor> weight_parts, bias_parts;
  for (const Part& part : parts) {
    EMEND_ASSIGN_OR_RETURN(const at::Tensor weight,
                           reader.Take(prefix + part.name + ".weight", {part.out, in}, part.cut));
    weight_parts.push_back(weight.t());
    if (!bias) continue;
    EMEND_ASSIGN_OR_RETURN(const at::Tensor part_bias,
                           reader.Take(prefix + part.name + ".bias", {part.out},
                                       part.cut.dimension == 0 ? part.cut : Cut()));
    bias_parts.push_back(part_bias);
  }
  Projection projection{.weight = at::cat(weight_parts, 1).contiguous(), .bias = {}};
  if (bias) projection.bias = at::cat(bias_parts, 0);
  return projection;
}

Result<Block> TakeBlock(WeightReader& reader, const std::string& name, const ModelConfig& config,
                        const ShardPlan& shard, const Biases& biases) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate, head_dim = config.head_dim;
  const std::int64_t q = config.heads * head_dim, kv = config.kv_heads * head_dim;
  const Cut heads = Rows(shard.heads * head_dim), kv_heads = Rows(shard.kv_heads * head_dim),
            inner = Rows(shard.intermediate);
  Block block;
  EMEND_ASSIGN_OR_RETURN(block.attention_norm.weight,
                         reader.Take(name + "input_layernorm.weight", {d}));
  EMEND_ASSIGN_OR_RETURN(block.mlp_norm.weight,
                         reader.Take(name + "post_attention_layernorm.weight", {d}));
  EMEND_ASSIGN_OR_RETURN(
      block.query_key_value,
      TakeProjection(reader, name + "self_attn.",
                     {{"q_proj", q, heads}, {"k_proj", kv, kv_heads}, {"v_proj", kv, kv_heads}}, d,
                     biases.attention));
  EMEND_ASSIGN_OR_RETURN(
      block.attention_out,
      TakeProjection(reader, name + "self_attn.", {{"o_proj", d, Columns(shard.heads * head_dim)}},
                     q, biases.attention));
  EMEND_ASSIGN_OR_RETURN(
      block.up,
      TakeProjection(reader, name + "mlp.", {{"gate_proj", d_ff, inner}, {"up_proj", d_ff, inner}},
                     d, biases.mlp));
  EMEND_ASSIGN_OR_RETURN(block.down, TakeProjection(reader, name + "mlp.",
                                                    {{"down_proj", d, Columns(shard.intermediate)}},
                                                    d_ff, biases.mlp));
  block.down_stored = {.tensor = name + "mlp.down_proj.weight", .stored_in_out = false};
  return block;
}

// Rotary frequencies that older files carry as a buffer; they follow from the config.
bool IsHarmlessBuffer(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

}  // namespace

Result<std::unique_ptr<Transformer>> LoadLlama(ConfigJson& json,
                                               const storage::checkpoint::Checkpoint& checkpoint,
                                               const Placement& placement) {
  Biases biases;
  EMEND_ASSIGN_OR_RETURN(ModelConfig config, ReadConfig(json, biases));
  EMEND_ASSIGN_OR_RETURN(const Activation activation, ActivationFromName(config.activation));
  config.activation = ActivationName(activation);

  EMEND_ASSIGN_OR_RETURN(const ShardPlan shard, PlanShard(config, placement.communicator.rank(),
                                                          placement.communicator.size()));

  WeightReader reader(checkpoint, placement.device);
  const Cut vocabulary = Rows(shard.vocabulary);
  const std::string prefix = reader.Has("embed_tokens.weight") ? "" : "model.";
  DecoderWeights weights;
  EMEND_ASSIGN_OR_RETURN(
      weights.token_embedding,
      reader.Take(prefix + "embed_tokens.weight", {config.vocabulary, config.hidden}, vocabulary));
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    EMEND_ASSIGN_OR_RETURN(
        Block block,
        TakeBlock(reader, prefix + "layers." + std::to_string(layer) + ".", config, shard, biases));
    weights.blocks.push_back(std::move(block));
  }
  EMEND_ASSIGN_OR_RETURN(weights.final_norm.weight,
                         reader.Take(prefix + "norm.weight", {config.hidden}));
  EMEND_ASSIGN_OR_RETURN(weights.head,
                         reader.TakeHead("lm_head.weight", {config.vocabulary, config.hidden},
                                         vocabulary, weights.token_embedding, config.tied_head));
  EMEND_RETURN_IF_ERROR(reader.RefuseUntaken(IsHarmlessBuffer));
  weights.file_bytes = reader.bytes_read();
  Rotary rotary = MakeRotary(config, placement.device);
  weights.held_bytes = reader.bytes_held() + rotary.cosine.nbytes() + rotary.sine.nbytes();
  return std::unique_ptr<Transformer>(
      std::make_unique<Llama>(std::move(config), shard, std::move(weights), placement.communicator,
                              std::move(rotary), activation));
}

}  // namespace emend::worker::model
