#include "coordinator/core/gguf_architectures.h"

#include <array>
#include <cmath>
#include <vector>

#include "storage/base/log.h"
#include "worker/families/rotary.h"

namespace emend::coordinator::core {
namespace {

using nlohmann::json;
using storage::checkpoint::GgufArray;
using storage::checkpoint::GgufTensor;

// ---- Rotations ----

// The factors by which Llama 3.1 and its kin slow their rotations down, as llama.cpp stores them:
// the file is held against these models' numbers.
Status ReadRotationFactors(GgufConfig& maker, const GgufTensor& tensor) {
  constexpr double kTolerance = 1e-3;
  std::vector<float> factors(tensor.row_elements());
  tensor.ReadRow(0, factors);
  const double theta = maker.config.at("rope_theta");
  const double slowest = factors.back();
  const worker::families::Llama3Scaling scaling{.factor = slowest};
  bool fits = tensor.rows() == 1 && slowest >= 1 &&
              2 * factors.size() == static_cast<std::size_t>(maker.Made("head_dim"));
  for (std::size_t i = 0; fits && i < factors.size(); ++i) {
    const double frequency =
        std::pow(theta, -static_cast<double>(i) / static_cast<double>(factors.size()));
    const double expected = frequency / StretchedFrequency(frequency, scaling);
    fits = std::abs(factors[i] - expected) <= kTolerance * expected;
  }
  if (!fits) {
    return CannotConvert(
        maker.file(), StatusCode::kUnsupported, "unsupported_config",
        std::string(kRotationFactors) +
            ": found factors of rotations that are not Llama 3's of a context of 8192");
  }
  if (slowest == 1) return OkStatus();
  maker.config["rope_scaling"] = {{"rope_type", "llama3"},
                                  {"factor", Shortest(slowest)},
                                  {"low_freq_factor", scaling.low},
                                  {"high_freq_factor", scaling.high},
                                  {"original_max_position_embeddings", 8192}};
  return OkStatus();
}

// What the rotations do beyond their base.
Status ReadRotations(GgufConfig& maker) {
  EMEND_RETURN_IF_ERROR(maker.Neutral("rope.dimension_count", maker.Made("head_dim")));
  EMEND_RETURN_IF_ERROR(maker.Neutral("rope.scale_linear", 1));
  maker.Seen("rope.scaling.original_context_length");
  maker.Seen("rope.scaling.finetuned");
  EMEND_ASSIGN_OR_RETURN(const auto type, maker.file().Text(maker.Seen("rope.scaling.type")));
  EMEND_ASSIGN_OR_RETURN(const auto factor, maker.Number("rope.scaling.factor"));
  const std::string_view found = type.value_or("linear");
  if (found != "none" && found != "linear") {
    return maker.Unsupported("rope.scaling.type", JsonQuote(found), "\"none\" or \"linear\"");
  }
  if (found == "linear" && factor.value_or(1) != 1)
    maker.config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", Shortest(*factor)}};
  const GgufTensor* const factors = maker.file().Find(kRotationFactors);
  return factors == nullptr ? OkStatus() : ReadRotationFactors(maker, *factors);
}

// ---- The architectures ----

constexpr auto kDecoderTensors = std::to_array<GgufTensorName>({
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
});
constexpr auto kDecoderKeys = std::to_array<GgufKeyName>({
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"attention.head_count", "num_attention_heads"},
    {"context_length", "max_position_embeddings"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GgufKeyKind::kNumber},
    {"rope.freq_base", "rope_theta", GgufKeyKind::kNumber, 10000},
});

constexpr auto kLlamaBlock = std::to_array<GgufTensorName>({
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj", GgufFix::kQueryRows},
    {"attn_k", "self_attn.k_proj", GgufFix::kKeyRows},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
});
// A head's size that is what these families take for granted is not written.
void LeaveOutEvenHeads(json& config) {
  if (config.at("head_dim") == config.at("hidden_size").get<std::int64_t>() /
                                   config.at("num_attention_heads").get<std::int64_t>())
    config.erase("head_dim");
}
Status FinishLlama(GgufConfig& maker) {
  maker.config["hidden_act"] = "silu";
  maker.config["attention_bias"] = maker.file().Find("blk.0.attn_q.bias") != nullptr;
  maker.config["mlp_bias"] = maker.file().Find("blk.0.ffn_up.bias") != nullptr;
  EMEND_RETURN_IF_ERROR(ReadRotations(maker));
  LeaveOutEvenHeads(maker.config);
  return OkStatus();
}

constexpr auto kQwenBlock = std::to_array<GgufTensorName>({
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
});
Status FinishQwen2(GgufConfig& maker) {
  maker.config["hidden_act"] = "silu";
  maker.config["use_sliding_window"] = false;
  EMEND_RETURN_IF_ERROR(ReadRotations(maker));
  LeaveOutEvenHeads(maker.config);
  return OkStatus();
}
Status FinishQwen3(GgufConfig& maker) {
  maker.config["hidden_act"] = "silu";
  maker.config["use_sliding_window"] = false;
  maker.config["attention_bias"] = false;
  return ReadRotations(maker);
}

constexpr auto kGemma3Tensors = std::to_array<GgufTensorName>({
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm", GgufFix::kPlusOne},
    {"output", "lm_head"},
});
constexpr auto kGemma3Block = std::to_array<GgufTensorName>({
    {"attn_norm", "input_layernorm", GgufFix::kPlusOne},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm", GgufFix::kPlusOne},
    {"attn_k_norm", "self_attn.k_norm", GgufFix::kPlusOne},
    {"post_attention_norm", "post_attention_layernorm", GgufFix::kPlusOne},
    {"ffn_norm", "pre_feedforward_layernorm", GgufFix::kPlusOne},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"post_ffw_norm", "post_feedforward_layernorm", GgufFix::kPlusOne},
});
constexpr auto kGemma3Keys = std::to_array<GgufKeyName>({
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"attention.head_count", "num_attention_heads"},
    {"context_length", "max_position_embeddings"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GgufKeyKind::kNumber},
    {"rope.freq_base", "rope_theta", GgufKeyKind::kNumber, 1000000},
    {"rope.freq_base_swa", "rope_local_base_freq", GgufKeyKind::kNumber, 10000},
    {"attention.sliding_window", "sliding_window"},
});

// Which layers see a window alone: all but every sixth, or as the file says.
Result<std::vector<bool>> SlidingLayers(GgufConfig& maker) {
  constexpr std::int64_t kPeriod = 6;
  constexpr char kKey[] = "attention.sliding_window_pattern";
  const auto layers = static_cast<std::size_t>(maker.Made("num_hidden_layers"));
  std::vector<bool> sliding(layers);
  const std::string key = maker.Seen(kKey);
  const auto found = maker.file().metadata().find(key);
  if (found != maker.file().metadata().end() && std::holds_alternative<GgufArray>(found->second)) {
    const std::vector<double>& flags = std::get<GgufArray>(found->second).numbers;
    if (flags.size() != layers)
      return maker.file().BadValue(
          key, "found " + std::to_string(flags.size()) + " flags, expected one a block");
    for (std::size_t i = 0; i < layers; ++i) sliding[i] = flags[i] != 0;
    return sliding;
  }
  EMEND_ASSIGN_OR_RETURN(const auto period, maker.Integer(kKey));
  const auto every = static_cast<std::size_t>(period.value_or(kPeriod));
  if (every == 0) return maker.Unsupported(kKey, "0", "a period or a list of flags");
  for (std::size_t i = 0; i < layers; ++i) sliding[i] = (i + 1) % every != 0;
  return sliding;
}

Status FinishGemma3(GgufConfig& maker) {
  json& config = maker.config;
  // The largest scales its queries by another number than a head's size, and no key says so.
  constexpr std::int64_t kLargestLayers = 62;
  const bool is_largest = maker.Made("num_hidden_layers") == kLargestLayers;
  config["query_pre_attn_scalar"] =
      is_largest ? maker.Made("hidden_size") / maker.Made("num_attention_heads")
                 : maker.Made("head_dim");
  config["hidden_activation"] = "gelu_pytorch_tanh";
  config["attention_bias"] = false;
  EMEND_RETURN_IF_ERROR(maker.Neutral("attn_logit_softcapping", 0));
  EMEND_RETURN_IF_ERROR(maker.Neutral("final_logit_softcapping", 0));
  EMEND_ASSIGN_OR_RETURN(const std::vector<bool> sliding, SlidingLayers(maker));
  for (const bool each : sliding)
    config["layer_types"].push_back(each ? "sliding_attention" : "full_attention");
  return ReadRotations(maker);
}

constexpr auto kGpt2Tensors = std::to_array<GgufTensorName>({
    {"token_embd", "transformer.wte"},
    {"position_embd", "transformer.wpe"},
    {"output_norm", "transformer.ln_f"},
    {"output", "lm_head"},
});
constexpr auto kGpt2Block = std::to_array<GgufTensorName>({
    {"attn_norm", "ln_1"},
    {"attn_qkv", "attn.c_attn", GgufFix::kTransposed},
    {"attn_output", "attn.c_proj", GgufFix::kTransposed},
    {"ffn_norm", "ln_2"},
    {"ffn_up", "mlp.c_fc", GgufFix::kTransposed},
    {"ffn_down", "mlp.c_proj", GgufFix::kTransposed},
});
constexpr auto kGpt2Keys = std::to_array<GgufKeyName>({
    {"block_count", "n_layer"},
    {"embedding_length", "n_embd"},
    {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"},
    {"context_length", "n_positions"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon", GgufKeyKind::kNumber},
});
Status FinishGpt2(GgufConfig& maker) {
  maker.config["activation_function"] = "gelu_new";
  return OkStatus();
}

constexpr auto kArchitectures = std::to_array<GgufArchitecture>({
    {"llama", "llama", "LlamaForCausalLM", "model.layers.", kDecoderTensors, kLlamaBlock,
     kDecoderKeys, true, FinishLlama},
    {"gemma3", "gemma3_text", "Gemma3ForCausalLM", "model.layers.", kGemma3Tensors, kGemma3Block,
     kGemma3Keys, true, FinishGemma3},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", "model.layers.", kDecoderTensors, kQwenBlock,
     kDecoderKeys, true, FinishQwen2},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", "model.layers.", kDecoderTensors, kQwenBlock,
     kDecoderKeys, true, FinishQwen3},
    {"gpt2", "gpt2", "GPT2LMHeadModel", "transformer.h.", kGpt2Tensors, kGpt2Block, kGpt2Keys,
     false, FinishGpt2},
});

}  // namespace

std::span<const GgufArchitecture> GgufArchitectures() { return kArchitectures; }

}  // namespace emend::coordinator::core
