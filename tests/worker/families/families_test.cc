// What configs as they are published mean: a key at its neutral value passes, at any other it is
// refused by name with both; ends of texts; layouts without weights.
#include "worker/families/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "worker/families/rotary.h"

namespace emend::worker::families::families_test {
namespace {

using nlohmann::json;
using storage::checkpoint::Checkpoint;
using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;
using testing::SizeIs;

const std::string kNanoSort = "tests/golden/gpt-nano-sort";  // gpt2, 3 heads
const std::string kStories = "tests/golden/stories260K";     // llama, 8 heads over 4

// A golden model's weights with a config of the test's own.
class Folder {
 public:
  explicit Folder(const std::string& golden) {
    std::filesystem::copy(golden + "/model.safetensors", folder_.path());
    config_ = json::parse(std::ifstream(golden + "/config.json"));
  }
  json& config() { return config_; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() + "/" + name) << text;
  }
  Result<ModelPlan> Plan() const {
    Write("config.json", config_.dump());
    EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder_.path()));
    return PlanModel(*checkpoint);
  }

 private:
  const test::TemporaryFolder folder_;
  json config_;
};

struct Key {
  std::string name;
  std::string folder;
  json neutral;
  json other;
};

class NeutralKeyTest : public testing::TestWithParam<Key> {};

TEST_P(NeutralKeyTest, PassesAtItsNeutralValueAndIsRefusedWithBothAtAnother) {
  const auto& [name, golden, neutral, other] = GetParam();
  Folder folder(golden);
  folder.config()[name] = neutral;
  EXPECT_THAT(folder.Plan().status(), IsOk());
  folder.config()[name] = other;
  const Status refused = folder.Plan().status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnsupported, "unsupported_config"));
  EXPECT_THAT(refused.message(), HasSubstr("\"" + name + "\": found " + other.dump()));
  EXPECT_THAT(refused.message(), HasSubstr("computes only"));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, NeutralKeyTest,
    testing::Values(Key{"is_llama_config", kStories, true, false},
                    Key{"rope_interleaved", kStories, false, true},
                    Key{"use_sliding_window", kStories, false, true},
                    Key{"sliding_window", kStories, nullptr, 4096},
                    Key{"qkv_bias", kStories, false, true}, Key{"logits_scaling", kStories, 1, 8},
                    Key{"layer_types", kStories, json::array({"full_attention", "full_attention"}),
                        json::array({"full_attention", "sliding_attention"})},
                    Key{"pruned_heads", kNanoSort, json::object(), json::object({{"0", {1}}})},
                    Key{"quantization_config", kStories, nullptr, json::object({{"bits", 4}})},
                    Key{"is_encoder_decoder", kNanoSort, false, true},
                    Key{"tie_encoder_decoder", kNanoSort, false, true},
                    Key{"scale_attn_weights", kNanoSort, true, false},
                    Key{"scale_attn_by_inverse_layer_idx", kNanoSort, false, true},
                    Key{"position_embedding_type", kNanoSort, "absolute", "relative_key"}),
    [](const auto& each) {
      return each.param.name + (each.param.folder == kStories ? "_llama" : "_gpt2");
    });

TEST(ConfigTest, BookkeepingOfToolsIsPassedOver) {
  Folder llama(kStories);
  llama.config().update({{"_attn_implementation_autoset", true},
                         {"unsloth_fixed", true},
                         {"unsloth_version", "2025.3.19"},
                         {"transformers.js_config", {{"kv_cache_dtype", {{"fp16", "float16"}}}}},
                         {"pretraining_tp", 2},
                         {"max_window_layers", 28},
                         {"repetition_penalty", 1.1},
                         {"use_cache", false}});
  EXPECT_THAT(llama.Plan().status(), IsOk());
  Folder gpt2(kNanoSort);
  gpt2.config().update({{"_num_labels", 1},
                        {"predict_special_tokens", true},
                        {"summary_activation", nullptr},
                        {"n_special", 0},
                        {"task_specific_params", {{"text-generation", {{"do_sample", true}}}}}});
  EXPECT_THAT(gpt2.Plan().status(), IsOk());
}

TEST(ConfigTest, AKeyThatNobodyKnowsIsRefused) {
  Folder folder(kStories);
  folder.config()["attention_temperature"] = 1;
  const Status refused = folder.Plan().status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnsupported, "unsupported_config"));
  EXPECT_THAT(refused.message(), HasSubstr("unknown keys \"attention_temperature\""));
}

// Of a head of 8 elements, four pairs: θ^(-i/4) stretched by hand.
std::vector<float> FrequenciesOf(const json& scaling) {
  Folder folder(kStories);
  folder.config()["rope_scaling"] = scaling;
  const auto model = folder.Plan();
  EXPECT_THAT(model.status(), IsOk()) << scaling;
  return model.ok() ? model->layout.blocks[0].rotary->frequencies : std::vector<float>();
}

TEST(RotaryTest, ScalesOfOneAreThePlainRotation) {
  for (const json& plain :
       {json{{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 1.0}},
        json{{"type", "linear"}, {"factor", 1.0}, {"rope_theta", 500.0}},
        json{{"rope_type", "dynamic"},
             {"factor", 2},
             {"original_max_position_embeddings", 512},
             {"rope_theta", 500}}}) {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      Folder folder(kStories);
      folder.config()[key] = plain;
      ASSERT_OK_AND_ASSIGN(const ModelPlan model, folder.Plan());
      EXPECT_THAT(RotariesOf(model.layout), ElementsAre(PlainRotary(500, 8)));
    }
  }
}

TEST(RotaryTest, EachTypeStretchesItsWaves) {
  EXPECT_THAT(FrequenciesOf({{"rope_type", "default"}}),
              Pointwise(FloatNear(1e-6), {1.0, 0.1, 0.01, 0.001}));
  EXPECT_THAT(FrequenciesOf({{"type", "linear"}, {"factor", 4.0}}),
              Pointwise(FloatNear(1e-6), {0.25, 0.025, 0.0025, 0.00025}));
  EXPECT_THAT(FrequenciesOf({{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}),
              Pointwise(FloatNear(1e-6), {1.0, 0.01}));
  // 128 positions hold 20.4, 2.04, 0.2 and 0.02 waves.
  EXPECT_THAT(FrequenciesOf({{"rope_type", "llama3"},
                             {"factor", 8.0},
                             {"low_freq_factor", 1.0},
                             {"high_freq_factor", 4.0},
                             {"original_max_position_embeddings", 128}}),
              Pointwise(FloatNear(1e-5), {1.0, 0.1 / 8 + 0.0875 * 0.345727, 0.00125, 0.000125}));
}

TEST(RotaryTest, WhatNobodyStretchesIsRefusedByName) {
  for (const auto& [scaled, words] :
       {std::pair{json{{"rope_type", "spiral"}}, "\"rope_type\": found \"spiral\""},
        {json{{"rope_type", "default"}, {"factor", 2.0}}, "\"factor\": found 2.0"},
        {json{{"rope_type", "default"}, {"beta_fast", 32}}, "unknown keys \"beta_fast\""},
        {json{{"rope_type", "linear"}, {"factor", 2.0}, {"attention_factor", 1.5}},
         "\"attention_factor\": found 1.5"}}) {
    Folder folder(kStories);
    folder.config()["rope_scaling"] = scaled;
    const Status refused = folder.Plan().status();
    EXPECT_THAT(refused, StatusIs(StatusCode::kUnsupported, "unsupported_config"));
    EXPECT_THAT(refused.message(), HasSubstr(words));
  }
}

TEST(RotaryTest, AHalfSaidScaleIsRefused) {
  for (const json& scaled : {json{{"rope_type", "linear"}}, json{{"rope_type", "llama3"}},
                             json{{"rope_type", "longrope"}, {"short_factor", {1.0}}},
                             json{{"rope_type", "default"}, {"partial_rotary_factor", 0.2}}}) {
    Folder folder(kStories);
    folder.config()["rope_scaling"] = scaled;
    EXPECT_THAT(folder.Plan().status(), StatusIs(StatusCode::kInvalidArgument, "bad_config"))
        << scaled;
  }
}

TEST(RotaryTest, FactorsForLongTextsBoundTheContext) {
  Folder folder(kStories);
  folder.config()["rope_scaling"] = {{"type", "su"},
                                     {"short_factor", {1.0, 1.0, 2.0, 4.0}},
                                     {"long_factor", {1.0, 4.0, 8.0, 64.0}},
                                     {"original_max_position_embeddings", 128}};
  ASSERT_OK_AND_ASSIGN(const ModelPlan model, folder.Plan());
  EXPECT_EQ(model.config.context, 128);
  const RotaryPlan& rotary = *model.layout.blocks[0].rotary;
  EXPECT_THAT(rotary.frequencies, Pointwise(FloatNear(1e-6), {1.0, 0.1, 0.005, 0.00025}));
  EXPECT_NEAR(rotary.magnitude, std::sqrt(1 + std::log(4.0) / std::log(128.0)), 1e-9);
}

// A config of a family's fixture with keys as older files have them.
ModelPlan PlanOf(const std::string& family, const std::function<void(json& config)>& change) {
  Folder folder("tests/golden/families/" + family);
  change(folder.config());
  auto model = folder.Plan();
  EMEND_CHECK(model.ok(), model.status().ToString());
  return std::move(model).value();
}

std::vector<std::int64_t> WindowsOf(const ModelPlan& model) {
  std::vector<std::int64_t> windows;
  for (const BlockPlan& block : model.layout.blocks) windows.push_back(block.attention.window);
  return windows;
}

TEST(WindowTest, ALayerHasOneWhereTheConfigOrItsFamilySaysSo) {
  EXPECT_THAT(
      WindowsOf(PlanOf("mistral", [](json& config) { config["sliding_window"] = nullptr; })),
      ElementsAre(0, 0, 0));
  EXPECT_THAT(WindowsOf(PlanOf("mistral", [](json& config) { config.erase("sliding_window"); })),
              ElementsAre(4096, 4096, 4096));
  EXPECT_THAT(WindowsOf(PlanOf("qwen2", [](json& config) { config.erase("layer_types"); })),
              ElementsAre(0, 8, 8));
  EXPECT_THAT(WindowsOf(PlanOf("qwen3", [](json& config) { config["sliding_window"] = 7; })),
              ElementsAre(0, 0, 0));
  EXPECT_THAT(WindowsOf(PlanOf("gemma2", [](json& config) { config.erase("layer_types"); })),
              ElementsAre(8, 0, 8));
  EXPECT_THAT(WindowsOf(PlanOf("gemma3",
                               [](json& config) {
                                 config.erase("layer_types");
                                 config["sliding_window_pattern"] = 2;
                               })),
              ElementsAre(8, 0, 8));
}

TEST(WindowTest, LayersThatAreNotThereAreRefused) {
  for (const json& types :
       {json{"full_attention"}, json{"full_attention", "x", "full_attention"}}) {
    Folder folder("tests/golden/families/gemma3");
    folder.config()["layer_types"] = types;
    EXPECT_FALSE(folder.Plan().ok()) << types;
  }
}

std::vector<std::int64_t> ExpertsOf(const ModelPlan& model) {
  std::vector<std::int64_t> experts;
  for (const BlockPlan& block : model.layout.blocks)
    experts.push_back(block.experts ? block.experts->count : 0);
  return experts;
}

TEST(ExpertsTest, ALayerHasThemWhereTheConfigSaysSo) {
  const ModelPlan newer = PlanOf("qwen3_moe", [](json&) {});
  EXPECT_THAT(ExpertsOf(newer), ElementsAre(4, 4, 0));
  EXPECT_EQ(newer.config.intermediate, 2 * 72) << "of two experts, more than the dense layer's 32";
  EXPECT_THAT(newer.layout.blocks[1].down.weights, SizeIs(4));
  EXPECT_EQ(newer.layout.blocks[1].down.weights[3].name,
            "model.layers.1.mlp.experts.3.down_proj.weight");
  EXPECT_TRUE(newer.layout.blocks[1].experts->is_normed);
  EXPECT_THAT(ExpertsOf(PlanOf("qwen3_moe",
                               [](json& config) {
                                 config.erase("num_local_experts");
                                 config["num_experts"] = 4;
                                 config.erase("norm_topk_prob");
                               })),
              ElementsAre(4, 4, 0));
  // Its second layer's tensors are experts', and it has no third one's.
  Folder sparse("tests/golden/families/qwen3_moe");
  sparse.config()["decoder_sparse_step"] = 2;
  EXPECT_THAT(sparse.Plan().status(), StatusIs(StatusCode::kInvalidArgument, "missing_tensor"));
  EXPECT_THAT(sparse.Plan().status().message(), HasSubstr("model.layers.0.mlp.gate_proj.weight"));
}

TEST(ExpertsTest, NumbersThatDoNotFitAreRefused) {
  for (const json& change : {json{{"num_experts", 5}}, json{{"num_experts_per_tok", 5}},
                             json{{"num_experts_per_tok", 0}}}) {
    Folder folder("tests/golden/families/qwen3_moe");
    folder.config().update(change);
    EXPECT_THAT(folder.Plan().status(), StatusIs(StatusCode::kInvalidArgument, "bad_config"))
        << change;
  }
  Folder many("tests/golden/families/olmoe");
  many.config().update({{"num_experts", 2'000'000'000}, {"num_hidden_layers", 2'000'000'000}});
  EXPECT_THAT(many.Plan().status(), StatusIs(StatusCode::kInvalidArgument, "misshapen_tensor"));
}

TEST(Gemma3Test, OlderFilesNameTheirRotationsBesideTheRest) {
  const ModelPlan newer = PlanOf("gemma3", [](json&) {});
  const ModelPlan older = PlanOf("gemma3", [](json& config) {
    config.erase("rope_parameters");
    config["rope_theta"] = 1e6;
    config["rope_local_base_freq"] = 1e4;
    config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  });
  EXPECT_EQ(RotariesOf(older.layout), RotariesOf(newer.layout));
  EXPECT_THAT(RotariesOf(older.layout), SizeIs(2));
}

TEST(EndsTest, EveryIdOfAListEndsAText) {
  Folder folder(kStories);
  folder.config()["eos_token_id"] = {2, 7, 9};
  ASSERT_OK_AND_ASSIGN(const ModelPlan model, folder.Plan());
  EXPECT_THAT(model.config.eos_tokens, ElementsAre(2, 7, 9));
  EXPECT_TRUE(model.config.Ends(7));
  EXPECT_FALSE(model.config.Ends(1));
}

TEST(EndsTest, AGenerationConfigCountsWhereItNamesEnds) {
  Folder folder(kStories);
  const auto ends = [&](const std::string& text) {
    folder.Write("generation_config.json", text);
    const auto model = folder.Plan();
    EXPECT_THAT(model.status(), IsOk());
    return model.ok() ? model->config.eos_tokens : std::vector<std::int32_t>();
  };
  EXPECT_THAT(ends(R"({"eos_token_id": [5, 6], "temperature": 0.6})"), ElementsAre(5, 6));
  EXPECT_THAT(ends(R"({"eos_token_id": 8})"), ElementsAre(8));
  EXPECT_THAT(ends(R"({"bos_token_id": 1})"), ElementsAre(2));
  EXPECT_THAT(ends(R"({"eos_token_id": null})"), ElementsAre(2));
  for (const char* bad : {"{", "[]", R"({"eos_token_id": "</s>"})"}) {
    folder.Write("generation_config.json", bad);
    EXPECT_THAT(folder.Plan().status(), StatusIs(StatusCode::kInvalidArgument, "bad_config"));
  }
}

TEST(LayoutTest, RanksTogetherHoldEveryElementThatIsShared) {
  const std::string families = "tests/golden/families/";
  for (const auto& [golden, ranks] : {std::pair{kNanoSort, 3},
                                      {kStories, 4},
                                      {families + "phi3", 2},
                                      {families + "gpt_neox", 4},
                                      {families + "qwen3_moe", 2}}) {
    ASSERT_OK_AND_ASSIGN(const ModelPlan model, Folder(golden).Plan());
    for (const TensorPlan* const tensor : TensorsOf(model)) {
      std::int64_t held = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        ASSERT_OK_AND_ASSIGN(const ShardPlan shard, PlanShard(model.config, rank, ranks));
        held += ElementsOf(*tensor, CutOf(*tensor, model.config, shard));
      }
      const std::int64_t copies = tensor->share == Share::kWhole ? ranks : 1;
      EXPECT_EQ(held, copies * ElementsOf(*tensor)) << tensor->name;
    }
  }
}

TEST(LayoutTest, AConfigAloneAsksForTheTensorsOfItsFile) {
  for (const char* family : {"gptj", "llama-yarn", "qwen3_moe", "gemma3"}) {
    const std::string folder = std::string("tests/golden/families/") + family;
    std::ifstream file(folder + "/config.json");
    const std::string config((std::istreambuf_iterator<char>(file)), {});
    ASSERT_OK_AND_ASSIGN(const ModelPlan model, PlanConfig(config, "the config"));
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(folder));
    EXPECT_THAT(CheckTensors(model, *checkpoint), IsOk()) << family;
  }
  EXPECT_THAT(PlanConfig("{", "the config").status(),
              StatusIs(StatusCode::kInvalidArgument, "bad_config"));
}

TEST(LayoutTest, ABlockSaysWhichPartsItHas) {
  ASSERT_OK_AND_ASSIGN(const ModelPlan gpt2, Folder(kNanoSort).Plan());
  EXPECT_TRUE(gpt2.layout.position_embedding.has_value());
  EXPECT_FALSE(gpt2.layout.blocks[0].rotary.has_value());
  EXPECT_THAT(gpt2.layout.blocks[0].query_key_value.weights, SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const ModelPlan llama, Folder(kStories).Plan());
  EXPECT_FALSE(llama.layout.position_embedding.has_value());
  EXPECT_THAT(llama.layout.blocks, SizeIs(5));
  EXPECT_THAT(llama.layout.blocks[0].query_key_value.weights, SizeIs(3));
  EXPECT_THAT(llama.layout.blocks[0].query_key_value.biases, SizeIs(0));
  EXPECT_EQ(llama.layout.blocks[4].down.weights[0].name, "model.layers.4.mlp.down_proj.weight");
}

}  // namespace
}  // namespace emend::worker::families::families_test
