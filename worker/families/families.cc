#include "worker/families/families.h"

#include <algorithm>
#include <utility>

#include "storage/base/file_system.h"
#include "worker/families/config_json.h"

namespace emend::worker::families {
namespace {

using storage::checkpoint::Checkpoint;

// Of a file that is to be made.
constexpr std::size_t kTensorsMax = 100'000;

Result<const Family*> FindFamily(const std::string& model_type) {
  std::string known;
  for (const Family* const family : kFamilies) {
    if (family->model_type == model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family->model_type);
  }
  return Status(StatusCode::kUnsupported, "unknown_family",
                "unknown model family \"" + model_type + "\", expected one of " + known);
}

// Settings of a generation, which are the caller's; names, versions and training; bookkeeping of
// the libraries and tools that write these files.
void DeclareHarmless(ConfigJson& json) {
  // clang-format off
  json.Harmless({
      "bad_words_ids", "begin_suppress_tokens", "decoder_start_token_id", "diversity_penalty",
      "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
      "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id",
      "length_penalty", "max_length", "max_new_tokens", "min_length", "no_repeat_ngram_size",
      "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
      "remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "suppress_tokens",
      "temperature", "top_k", "top_p", "typical_p", "use_cache"});
  json.Harmless({
      "_attn_implementation", "_attn_implementation_autoset", "_commit_hash",
      "_flash_attn_2_enabled", "_from_model_config", "_name_or_path", "_num_labels",
      "architectures", "attention_dropout", "attn_implementation", "attn_pdrop", "auto_map",
      "chunk_size_feed_forward", "dtype", "embd_pdrop", "finetuning_task",
      "gradient_checkpointing", "hidden_dropout", "id2label", "initializer_range", "is_decoder",
      "label2id", "license", "num_labels", "output_attentions", "output_hidden_states",
      "output_past", "pad_token_id", "predict_special_tokens", "problem_type", "resid_pdrop",
      "return_dict", "sep_token_id", "task_specific_params", "tf_legacy_loss", "tokenizer_class",
      "torch_dtype", "torchscript", "transformers.js_config", "transformers_version",
      "unk_token_id", "unsloth_fixed", "unsloth_version", "use_bfloat16"});
  // clang-format on
}

Status ReadCommon(ConfigJson& json, ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(config.vocabulary, json.Integer("vocab_size", {}));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::int32_t> begins, json.Tokens("bos_token_id"));
  if (!begins.empty()) config.bos_token = begins.front();
  EMEND_ASSIGN_OR_RETURN(config.eos_tokens, json.Tokens("eos_token_id"));
  DeclareHarmless(json);
  return OkStatus();
}

// Parts that some family has: where the family at hand does not read the key, it must be at the
// value that changes nothing.
Status RefuseOtherParts(ConfigJson& json) {
  // Of windows, where there are none; and a number of parts that all give the same sums.
  json.Harmless({"max_sequence_length", "max_window_layers", "pretraining_tp"});
  EMEND_RETURN_IF_ERROR(json.Neutral({{"add_cross_attention", "false"},
                                      {"alibi", "false"},
                                      {"attention_bias", "false"},
                                      {"attn_logit_softcapping", "null"},
                                      {"bias", "false"},
                                      {"clip_qkv", "null"},
                                      {"compression_config", "null"},
                                      {"cross_attention_hidden_size", "null"},
                                      {"embedding_multiplier", "1"},
                                      {"final_logit_softcapping", "null"},
                                      {"is_encoder_decoder", "false"},
                                      {"is_llama_config", "true"},
                                      {"logits_scaling", "1"},
                                      {"mlp_bias", "false"},
                                      {"partial_rotary_factor", "1"},
                                      {"prefix", "null"},
                                      {"pruned_heads", "{}"},
                                      {"qk_layernorm", "false"},
                                      {"qkv_bias", "false"},
                                      {"quantization_config", "null"},
                                      {"residual_multiplier", "1"},
                                      {"rope_interleaved", "false"},
                                      {"rotary_pct", "1"},
                                      {"sliding_window", "null"},
                                      {"tie_encoder_decoder", "false"},
                                      {"use_parallel_residual", "false"},
                                      {"use_qk_norm", "false"},
                                      {"use_sliding_window", "false"}}));
  return json.NeutralElements("layer_types", "full_attention");
}

Result<ConfigJson> ParseFile(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string text, PosixFileSystem().Read(path));
  return ConfigJson::Parse(text, path);
}

// How the model is used is said in a file of its own; where it says nothing of ends, config.json
// does.
Status ReadGeneration(const std::string& folder, ModelConfig& config) {
  const std::string path = folder + "/generation_config.json";
  if (!PosixFileSystem().Exists(path)) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(ConfigJson json, ParseFile(path));
  EMEND_ASSIGN_OR_RETURN(std::vector<std::int32_t> ends, json.Tokens("eos_token_id"));
  if (!ends.empty()) config.eos_tokens = std::move(ends);
  return OkStatus();
}

Result<ModelPlan> PlanBy(ConfigJson json, const TensorNames& names) {
  EMEND_ASSIGN_OR_RETURN(const std::string model_type, json.Text("model_type", {}));
  EMEND_ASSIGN_OR_RETURN(const Family* const family, FindFamily(model_type));
  ModelPlan model;
  model.config.family = model_type;
  EMEND_RETURN_IF_ERROR(ReadCommon(json, model.config));
  EMEND_RETURN_IF_ERROR(family->plan(json, names, model));
  EMEND_RETURN_IF_ERROR(RefuseOtherParts(json));
  EMEND_RETURN_IF_ERROR(json.RefuseUnread());
  return model;
}

// A layout stops where a file has no room for more.
bool IsWhole(const ModelPlan& model) {
  return std::cmp_equal(model.layout.blocks.size(), model.config.layers) &&
         std::ranges::all_of(model.layout.blocks, [](const BlockPlan& block) {
           return !block.experts || std::cmp_equal(block.down.weights.size(), block.experts->count);
         });
}

}  // namespace

Result<ModelPlan> PlanModel(const Checkpoint& checkpoint) {
  EMEND_ASSIGN_OR_RETURN(ConfigJson json, ParseFile(checkpoint.folder() + "/config.json"));
  EMEND_ASSIGN_OR_RETURN(ModelPlan model, PlanBy(std::move(json), TensorNames(checkpoint)));
  EMEND_RETURN_IF_ERROR(ReadGeneration(checkpoint.folder(), model.config));
  EMEND_RETURN_IF_ERROR(CheckTensors(model, checkpoint));
  return model;
}

Result<ModelPlan> PlanConfig(std::string_view config_json, const std::string& name) {
  EMEND_ASSIGN_OR_RETURN(ConfigJson json, ConfigJson::Parse(config_json, name));
  EMEND_ASSIGN_OR_RETURN(ModelPlan model, PlanBy(std::move(json), TensorNames(kTensorsMax)));
  if (IsWhole(model)) return model;
  return Status(
      StatusCode::kResourceExhausted, "too_many_tensors",
      "reading " + name + ": it asks for more than " + std::to_string(kTensorsMax) + " tensors");
}

}  // namespace emend::worker::families
