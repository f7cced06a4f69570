// What configs as they are published mean: a key at its neutral value passes, at any other it is
// refused by name with both; ends of texts; layouts without weights.
#include "worker/families/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::worker::families::families_test {
namespace {

using nlohmann::json;
using storage::checkpoint::Checkpoint;
using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;
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
                    Key{"partial_rotary_factor", kStories, 1.0, 0.5},
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

TEST(RotaryTest, ScalesOfOneAreThePlainRotation) {
  for (const json& plain :
       {json{{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 1.0}},
        json{{"type", "linear"}, {"factor", 1.0}, {"rope_theta", 500.0}},
        json{{"rope_type", "dynamic"},
             {"factor", 1},
             {"original_max_position_embeddings", 512},
             {"rope_theta", 500}}}) {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      Folder folder(kStories);
      folder.config()[key] = plain;
      ASSERT_OK_AND_ASSIGN(const ModelPlan model, folder.Plan());
      EXPECT_THAT(RotariesOf(model.layout), ElementsAre(RotaryPlan{.theta = 500}));
    }
  }
}

TEST(RotaryTest, OtherScalesAreRefusedByName) {
  for (const auto& [scaled, words] :
       {std::pair{json{{"rope_type", "default"}, {"partial_rotary_factor", 0.5}},
                  "\"partial_rotary_factor\": found 0.5, and this build computes only 1"},
        {json{{"type", "linear"}, {"factor", 2.0}}, "\"factor\": found 2.0"},
        {json{{"rope_type", "llama3"}, {"factor", 8.0}}, "\"rope_type\": found \"llama3\""},
        {json{{"rope_type", "default"}, {"beta_fast", 32}}, "unknown keys \"beta_fast\""}}) {
    Folder folder(kStories);
    folder.config()["rope_scaling"] = scaled;
    const Status refused = folder.Plan().status();
    EXPECT_THAT(refused, StatusIs(StatusCode::kUnsupported, "unsupported_config"));
    EXPECT_THAT(refused.message(), HasSubstr(words));
  }
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
  for (const auto& [golden, ranks] : {std::pair{kNanoSort, 3}, {kStories, 4}}) {
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
