// Every key of config.json is used, harmless, or refused by name.
#include "tests/worker/model/model_folder.h"

namespace emend::test::config_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Refusal {
  const char* name;
  std::string folder;
  const char* key;
  json value;
  StatusCode code;
  const char* slug;
};

class ConfigRefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(ConfigRefusalTest, NamesTheKey) {
  ModelFolder folder(GetParam().folder);
  folder.config()[GetParam().key] = GetParam().value;
  const auto loaded = folder.Load();
  EXPECT_THAT(loaded, StatusIs(GetParam().code, GetParam().slug));
  EXPECT_THAT(loaded.status().message(), HasSubstr(GetParam().key));
}

constexpr StatusCode kBad = StatusCode::kInvalidArgument;
constexpr StatusCode kUnknown = StatusCode::kUnsupported;

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigRefusalTest,
    testing::Values(
        Refusal{"UnknownKey", kNanoSort, "sparse_attention", true, kUnknown, "unsupported_config"},
        Refusal{"Quantised", kStories, "quantization_config", json::object({{"bits", 4}}), kUnknown,
                "unsupported_config"},
        Refusal{"FractionalSize", kNanoSort, "n_embd", 48.5, kBad, "bad_config"},
        Refusal{"NegativeSize", kNanoSort, "n_layer", -1, kBad, "bad_config"},
        Refusal{"HugeSize", kNanoSort, "vocab_size", 1e18, kBad, "bad_config"},
        Refusal{"TextForSize", kStories, "hidden_size", "64", kBad, "bad_config"},
        Refusal{"MissingSize", kStories, "num_hidden_layers", nullptr, kBad, "bad_config"},
        Refusal{"ZeroEpsilon", kStories, "rms_norm_eps", 0, kBad, "bad_config"},
        Refusal{"HeadsDoNotDivide", kNanoSort, "n_head", 5, kBad, "bad_config"},
        Refusal{"GroupsDoNotDivide", kStories, "num_key_value_heads", 3, kBad, "bad_config"},
        Refusal{"OddHead", kStories, "head_dim", 7, kBad, "bad_config"},
        Refusal{"OtherContext", kNanoSort, "n_ctx", 12, kBad, "bad_config"},
        Refusal{"TextForFlag", kNanoSort, "tie_word_embeddings", "no", kBad, "bad_config"},
        Refusal{"TextForToken", kStories, "eos_token_id", "</s>", kBad, "bad_config"},
        Refusal{"LayerScaledAttention", kNanoSort, "scale_attn_by_inverse_layer_idx", true,
                kUnknown, "unsupported_config"},
        Refusal{"UnscaledAttention", kNanoSort, "scale_attn_weights", false, kUnknown,
                "unsupported_config"},
        Refusal{"CrossAttention", kNanoSort, "add_cross_attention", true, kUnknown,
                "unsupported_config"},
        Refusal{"ScaledRotary", kStories, "rope_scaling",
                json::object({{"rope_type", "spiral"}, {"factor", 8.0}}), kUnknown,
                "unsupported_config"},
        Refusal{"UnknownRotaryKey", kStories, "rope_parameters", json::object({{"factor", 8.0}}),
                kUnknown, "unsupported_config"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(ConfigTest, RefusesAnUnknownActivationByName) {
  ModelFolder folder(kNanoSort);
  folder.config()["activation_function"] = "mish";
  const auto loaded = folder.Load();
  EXPECT_THAT(loaded, StatusIs(StatusCode::kUnsupported, "unsupported_config"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("mish"));
}

TEST(ConfigTest, RefusesAnUnknownFamilyAndNamesTheKnownOnes) {
  ModelFolder folder(kNanoSort);
  folder.config()["model_type"] = "mamba";
  const auto loaded = folder.Load();
  EXPECT_THAT(loaded, StatusIs(StatusCode::kUnsupported, "unknown_family"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("gpt2, gptj, gpt_neox, llama"));
}

TEST(ConfigTest, RefusesWhatIsNotAJsonObject) {
  for (const char* text : {"{\"model_type\": ", "[]", "7"}) {
    ModelFolder folder(kNanoSort);
    folder.SetConfigText(text);
    EXPECT_THAT(folder.Load(), StatusIs(StatusCode::kInvalidArgument, "bad_config")) << text;
  }
}

TEST(ConfigTest, HarmlessKeysAndNullsAreAccepted) {
  ModelFolder folder(kNanoSort);
  folder.config().update({{"transformers_version", "4.46.3"},
                          {"use_cache", true},
                          {"summary_type", "cls_index"},
                          {"sparse_attention", nullptr}});
  EXPECT_THAT(folder.Load(), IsOk());
}

TEST(ConfigTest, FillsTheConfigOfBothFamilies) {
  const LoadedModel nano = Load(kNanoSort);
  const worker::families::ModelConfig& gpt2 = (*nano).config();
  EXPECT_EQ(gpt2.family, "gpt2");
  EXPECT_EQ(gpt2.intermediate, 192);
  EXPECT_EQ(gpt2.head_dim, 16);
  EXPECT_EQ(gpt2.activation, worker::families::Activation::kGeluTanh);
  EXPECT_FALSE(gpt2.tied_head);
  EXPECT_TRUE(gpt2.eos_tokens.empty());
  const LoadedModel stories = Load(kStories);
  const worker::families::ModelConfig& llama = (*stories).config();
  EXPECT_EQ(llama.family, "llama");
  EXPECT_EQ(llama.kv_heads, 4);
  EXPECT_EQ(llama.context, 512);
  EXPECT_EQ(llama.activation, worker::families::Activation::kSilu);
  EXPECT_TRUE(llama.tied_head);
  EXPECT_EQ(llama.bos_token, 1);
  EXPECT_EQ(llama.eos_tokens, std::vector<std::int32_t>{2});
}

TEST(ConfigTest, RotaryBaseIsReadFromEitherPlace) {
  ModelFolder inner(kStories), outer(kStories);
  inner.config().erase("rope_theta");
  inner.config()["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}};
  outer.config()["rope_theta"] = 500.0;
  auto a = inner.Load(), b = outer.Load();
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  const at::Tensor ids = at::arange(8, at::kLong).unsqueeze(0);
  EXPECT_TRUE(at::equal(Forward(*a->model, ids), Forward(*b->model, ids)));
}

}  // namespace
}  // namespace emend::test::config_test
