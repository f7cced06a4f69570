// What metadata and tensors of each architecture become.
#include "coordinator/core/gguf_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numbers>

#include "coordinator/core/gguf_tensors.h"
#include "tests/support/gguf_model.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::core::gguf_plan_test {
namespace {

using nlohmann::json;
using storage::checkpoint::GgufFile;
using storage::checkpoint::TensorSource;
using storage::delta::DType;
using test::GgufWriter;
using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Floats(std::size_t count, float first, float step = 1) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i)
    bytes += GgufWriter::Bits(first + step * static_cast<float>(i));
  return bytes;
}

std::vector<float> Values(const TensorSource& source) {
  const auto bytes = source.bytes();
  EXPECT_THAT(bytes, IsOk());
  std::vector<float> values(bytes->size() / sizeof(float));
  std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

class GgufPlanTest : public testing::Test {
 protected:
  // Sizes that all architectures name alike: 2 blocks, width 8, 2 heads.
  void Begin(const std::string& name) {
    name_ = name;
    writer_.Text("general.architecture", name);
    for (const auto& [key, value] : {std::pair("block_count", 2U),
                                     {"context_length", 32U},
                                     {"embedding_length", 8U},
                                     {"feed_forward_length", 16U},
                                     {"attention.head_count", 2U}})
      writer_.Integer(Key(key), value);
    Add("token_embd.weight", {6, 8});
    Add("output_norm.weight", {8}, 1);
  }
  std::string Key(const std::string& key) const { return name_ + "." + key; }
  void Add(const std::string& name, const std::vector<std::uint64_t>& shape, float first = 0) {
    std::size_t elements = 1;
    for (const std::uint64_t size : shape) elements *= size;
    writer_.Tensor(name, shape, test::kGgufF32, Floats(elements, first));
  }
  Result<GgufPlan> Plan(const GgufWriter& writer) {
    bytes_ = writer.Build();
    auto file = GgufFile::Parse(
        {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()}, "x.gguf");
    if (!file.ok()) return file.status();
    file_ = std::make_unique<GgufFile>(std::move(*file));
    return PlanGguf(*file_);
  }
  json Config() {
    const auto plan = Plan(writer_);
    EXPECT_THAT(plan, IsOk());
    return plan.ok() ? json::parse(plan->config) : json();
  }
  TensorSource Converted(const std::string& name) {
    const auto plan = Plan(writer_);
    EXPECT_THAT(plan, IsOk());
    for (const GgufTensorPlan& tensor : plan->tensors) {
      if (tensor.name == name) return ConvertedTensor(tensor);
    }
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }
  void ExpectRefused(const GgufWriter& writer, StatusCode code, const char* slug,
                     const char* words) {
    const Status refused = Plan(writer).status();
    EXPECT_THAT(refused, StatusIs(code, slug));
    EXPECT_THAT(refused.message(), HasSubstr(words));
  }

  GgufWriter writer_;
  std::string name_;
  std::string bytes_;
  std::unique_ptr<GgufFile> file_;
};

TEST_F(GgufPlanTest, LlamasConfigIsWhatTheMetadataSay) {
  Begin("llama");
  writer_.Number("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer_.Integer("tokenizer.ggml.eos_token_id", 2);
  EXPECT_EQ(Config(), (json{{"architectures", json::array({"LlamaForCausalLM"})},
                            {"attention_bias", false},
                            {"eos_token_id", 2},
                            {"hidden_act", "silu"},
                            {"hidden_size", 8},
                            {"intermediate_size", 16},
                            {"max_position_embeddings", 32},
                            {"mlp_bias", false},
                            {"model_type", "llama"},
                            {"num_attention_heads", 2},
                            {"num_hidden_layers", 2},
                            {"num_key_value_heads", 2},
                            {"rms_norm_eps", 1e-5},
                            {"rope_theta", 10000.0},
                            {"tie_word_embeddings", true},
                            {"torch_dtype", "bfloat16"},
                            {"vocab_size", 6}}));
  writer_.Integer("llama.attention.head_count_kv", 1);
  writer_.Integer("llama.attention.key_length", 6);
  writer_.Integer("llama.rope.dimension_count", 6);
  writer_.Number("llama.rope.freq_base", 500000);
  Add("output.weight", {6, 8});
  Add("blk.0.attn_q.bias", {12});
  Add("blk.0.ffn_up.bias", {16});
  const json config = Config();
  EXPECT_EQ(config["num_key_value_heads"], 1);
  EXPECT_EQ(config["head_dim"], 6);
  EXPECT_EQ(config["rope_theta"], 500000.0);
  EXPECT_EQ(config["tie_word_embeddings"], false);
  EXPECT_EQ(config["attention_bias"], true);
  EXPECT_EQ(config["mlp_bias"], true);
}

TEST_F(GgufPlanTest, ABiasOfQueriesHasItsRowsBack) {
  Begin("llama");
  writer_.Number("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  Add("blk.1.attn_q.bias", {8});
  EXPECT_THAT(Values(Converted("model.layers.1.self_attn.q_proj.bias")),
              ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
}

TEST_F(GgufPlanTest, Llama3sFactorsOfRotationsBecomeItsScaling) {
  Begin("llama");
  writer_.Number("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer_.Integer("llama.attention.key_length", 64);
  writer_.Number("llama.rope.freq_base", 500000);
  const auto factors = [](double original) {
    std::string bytes;
    for (int i = 0; i < 32; ++i) {
      const double turns = original / (2 * std::numbers::pi * std::pow(500000, i / 32.0));
      const double smooth = (turns - 1) / 3;
      const double factor = turns > 4 ? 1 : turns < 1 ? 8 : 1 / ((1 - smooth) / 8 + smooth);
      bytes += GgufWriter::Bits(static_cast<float>(factor));
    }
    return bytes;
  };
  GgufWriter other = writer_;
  writer_.Tensor("rope_freqs.weight", {32}, test::kGgufF32, factors(8192));
  EXPECT_EQ(Config()["rope_scaling"], (json{{"rope_type", "llama3"},
                                            {"factor", 8.0},
                                            {"low_freq_factor", 1.0},
                                            {"high_freq_factor", 4.0},
                                            {"original_max_position_embeddings", 8192}}));
  other.Tensor("rope_freqs.weight", {32}, test::kGgufF32, factors(4096));
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config", "rope_freqs.weight");
}

TEST_F(GgufPlanTest, ALinearScalingIsNamedAndAnyOtherRefused) {
  Begin("qwen2");
  writer_.Number("qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
  GgufWriter linear = writer_;
  linear.Text("qwen2.rope.scaling.type", "linear");
  linear.Number("qwen2.rope.scaling.factor", 4);
  ASSERT_OK_AND_ASSIGN(const GgufPlan plan, Plan(linear));
  EXPECT_EQ(json::parse(plan.config)["rope_scaling"],
            (json{{"rope_type", "linear"}, {"factor", 4.0}}));
  writer_.Text("qwen2.rope.scaling.type", "yarn");
  ExpectRefused(writer_, StatusCode::kUnsupported, "unsupported_config",
                "qwen2.rope.scaling.type: found \"yarn\"");
}

TEST_F(GgufPlanTest, QwensRowsStayWhereTheyAre) {
  Begin("qwen3");
  writer_.Number("qwen3.attention.layer_norm_rms_epsilon", 1e-6F);
  writer_.Integer("qwen3.attention.key_length", 4);
  Add("blk.0.attn_q.weight", {8, 8});
  Add("blk.0.attn_k_norm.weight", {4});
  const json config = Config();
  EXPECT_EQ(config["model_type"], "qwen3");
  EXPECT_EQ(config["architectures"], json::array({"Qwen3ForCausalLM"}));
  EXPECT_EQ(config["attention_bias"], false);
  EXPECT_EQ(config["use_sliding_window"], false);
  EXPECT_EQ(config["head_dim"], 4);
  EXPECT_EQ(Values(Converted("model.layers.0.self_attn.q_proj.weight"))[9], 9);
  EXPECT_THAT(Values(Converted("model.layers.0.self_attn.k_norm.weight")), ElementsAre(0, 1, 2, 3));
}

TEST_F(GgufPlanTest, Gemma3sNormsLoseTheirOneAndItsLayersHaveKinds) {
  Begin("gemma3");
  writer_.Number("gemma3.attention.layer_norm_rms_epsilon", 1e-6F);
  writer_.Integer("gemma3.attention.sliding_window", 16);
  writer_.Integer("gemma3.attention.key_length", 4);
  Add("blk.0.post_ffw_norm.weight", {8}, 1);
  Add("blk.1.attn_q_norm.weight", {4}, 1);
  Add("blk.1.ffn_norm.weight", {8}, 1);
  EXPECT_EQ(Config(),
            (json{{"architectures", json::array({"Gemma3ForCausalLM"})},
                  {"attention_bias", false},
                  {"head_dim", 4},
                  {"hidden_activation", "gelu_pytorch_tanh"},
                  {"hidden_size", 8},
                  {"intermediate_size", 16},
                  {"layer_types", json::array({"sliding_attention", "sliding_attention"})},
                  {"max_position_embeddings", 32},
                  {"model_type", "gemma3_text"},
                  {"num_attention_heads", 2},
                  {"num_hidden_layers", 2},
                  {"num_key_value_heads", 2},
                  {"query_pre_attn_scalar", 4},
                  {"rms_norm_eps", 1e-6},
                  {"rope_local_base_freq", 10000.0},
                  {"rope_theta", 1000000.0},
                  {"sliding_window", 16},
                  {"tie_word_embeddings", true},
                  {"torch_dtype", "bfloat16"},
                  {"vocab_size", 6}}));
  EXPECT_THAT(Values(Converted("model.layers.0.post_feedforward_layernorm.weight")),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(Values(Converted("model.layers.1.self_attn.q_norm.weight")), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(Converted("model.layers.1.pre_feedforward_layernorm.weight").dtype, DType::kF32);
  GgufWriter by_period = writer_;
  by_period.Integer("gemma3.attention.sliding_window_pattern", 2);
  ASSERT_OK_AND_ASSIGN(const GgufPlan plan, Plan(by_period));
  EXPECT_EQ(json::parse(plan.config)["layer_types"],
            json::array({"sliding_attention", "full_attention"}));
  writer_.Array("gemma3.attention.sliding_window_pattern", test::kGgufBool, 2,
                std::string("\0\1", 2));
  EXPECT_EQ(Config()["layer_types"], json::array({"full_attention", "sliding_attention"}));
}

TEST_F(GgufPlanTest, Gpt2sProjectionsAreTransposed) {
  Begin("gpt2");
  writer_.Number("gpt2.attention.layer_norm_epsilon", 1e-5F);
  Add("position_embd.weight", {32, 8});
  Add("blk.1.ffn_up.weight", {3, 2});
  Add("blk.1.ffn_up.bias", {3});
  EXPECT_EQ(Config(), (json{{"activation_function", "gelu_new"},
                            {"architectures", json::array({"GPT2LMHeadModel"})},
                            {"layer_norm_epsilon", 1e-5},
                            {"model_type", "gpt2"},
                            {"n_embd", 8},
                            {"n_head", 2},
                            {"n_inner", 16},
                            {"n_layer", 2},
                            {"n_positions", 32},
                            {"tie_word_embeddings", true},
                            {"torch_dtype", "bfloat16"},
                            {"vocab_size", 6}}));
  const TensorSource up = Converted("transformer.h.1.mlp.c_fc.weight");
  EXPECT_THAT(up.shape, ElementsAre(2, 3));
  EXPECT_THAT(Values(up), ElementsAre(0, 2, 4, 1, 3, 5));
  EXPECT_THAT(Values(Converted("transformer.h.1.mlp.c_fc.bias")), ElementsAre(0, 1, 2));
  EXPECT_THAT(Converted("transformer.wpe.weight").shape, ElementsAre(32, 8));
}

TEST_F(GgufPlanTest, ATensorKeepsItsTypeOrBecomesBrainFloats) {
  Begin("qwen2");
  writer_.Number("qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
  writer_.Tensor("blk.0.ffn_gate.weight", {1, 4}, test::kGgufF16,
                 std::string("\x00\x3c\x01\x00\xff\x7b\x00\x80", 8));
  // scale 2^-8, then 1, -1, 127, -127 and -128; 129 times it needs nine bits
  std::string block("\x00\x1c\x01\xff\x7f\x81\x80", 7);
  block.resize(34, '\0');
  writer_.Tensor("blk.0.ffn_up.weight", {1, 32}, test::kGgufQ8Zero, block);
  const TensorSource halves = Converted("model.layers.0.mlp.gate_proj.weight");
  EXPECT_EQ(halves.dtype, DType::kF16);
  EXPECT_THAT(*halves.bytes(), ElementsAre(0x00, 0x3c, 0x01, 0x00, 0xff, 0x7b, 0x00, 0x80));
  const TensorSource quantised = Converted("model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(quantised.dtype, DType::kBF16);
  ASSERT_OK_AND_ASSIGN(const auto bytes, quantised.bytes());
  ASSERT_EQ(bytes.size(), 64U);
  EXPECT_THAT(std::vector(bytes.begin(), bytes.begin() + 12),
              ElementsAre(0x80, 0x3b, 0x80, 0xbb, 0xfe, 0x3e, 0xfe, 0xbe, 0x00, 0xbf, 0x00, 0x00));
}

TEST_F(GgufPlanTest, WhatIsNotKnownIsRefusedByName) {
  Begin("qwen2");
  ExpectRefused(writer_, StatusCode::kInvalidArgument, "gguf_bad_value",
                "qwen2.attention.layer_norm_rms_epsilon: it is not there");
  writer_.Number("qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
  ASSERT_THAT(Plan(writer_), IsOk());
  GgufWriter other = writer_;
  other.Number("qwen2.attention.scale", 0.5F);
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config",
                "\"qwen2.attention.scale\" is not known");
  other = writer_;
  other.Integer("qwen2.expert_count", 8);
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config", "expected 0");
  other = writer_;
  other.Flag("qwen2.attention.causal", false);
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config", "expected 1");
  other = writer_;
  other.Integer("qwen2.rope.dimension_count", 2);
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config", "expected 4");
  other = writer_;
  other.Integer("qwen2.attention.head_count_kv", 3);
  ExpectRefused(other, StatusCode::kUnsupported, "unsupported_config", "found 3, expected 1 to 2");
  for (const char* name :
       {"blk.0.ffn_gate_exps.weight", "blk.0.attn_q.scale", "blk.weight", "blk.0", "norm", "."}) {
    other = writer_;
    other.Tensor(name, {8}, test::kGgufF32, Floats(8, 0));
    ExpectRefused(other, StatusCode::kInvalidArgument, "surplus_tensor", name);
  }
  GgufWriter mamba;
  mamba.Text("general.architecture", "mamba");
  ExpectRefused(mamba, StatusCode::kUnsupported, "unknown_architecture",
                "\"mamba\", expected one of llama, gemma3, qwen2, qwen3, gpt2");
  ExpectRefused(GgufWriter(), StatusCode::kUnsupported, "unknown_architecture", "\"\"");
}

TEST_F(GgufPlanTest, RowsThatHeadsCannotShareAreRefused) {
  Begin("llama");
  writer_.Number("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  Add("blk.0.attn_q.weight", {6, 8});
  ExpectRefused(writer_, StatusCode::kInvalidArgument, "misshapen_tensor", "blk.0.attn_q.weight");
}

}  // namespace
}  // namespace emend::coordinator::core::gguf_plan_test
