// Missing, surplus and misshapen tensors are refused by name; the layouts that real files come in
// are accepted.
#include "tests/worker/model/model_folder.h"

namespace emend::test::weights_test {
namespace {

using storage::delta::DType;
using testing::HasSubstr;

at::Tensor SomeLogits(const LoadedModel& loaded) {
  return Forward(*loaded, at::tensor({0, 1, 2, 1, 0}, at::kLong).unsqueeze(0));
}

void ExpectRefused(ModelFolder& folder, const char* slug, const std::string& tensor) {
  const auto loaded = folder.Load();
  EXPECT_THAT(loaded, StatusIs(StatusCode::kInvalidArgument, slug));
  EXPECT_THAT(loaded.status().message(), HasSubstr(tensor));
}

TEST(WeightsTest, RefusesAMissingTensor) {
  for (const std::string name : {"transformer.h.1.mlp.c_proj.weight", "transformer.h.2.ln_1.bias",
                                 "transformer.wpe.weight", "lm_head.weight"}) {
    ModelFolder folder(kNanoSort);
    folder.Remove(name);
    ExpectRefused(folder, "missing_tensor", name);
  }
}

TEST(WeightsTest, RefusesASurplusTensor) {
  ModelFolder folder(kStories);
  folder.Add("model.layers.5.mlp.down_proj.weight", at::zeros({64, 172}));
  ExpectRefused(folder, "surplus_tensor", "model.layers.5.mlp.down_proj.weight");
}

TEST(WeightsTest, RefusesFewerLayersInTheConfigThanInTheFile) {
  ModelFolder folder(kNanoSort);
  folder.config()["n_layer"] = 2;
  ExpectRefused(folder, "surplus_tensor", "transformer.h.2.attn.c_attn.weight");
}

TEST(WeightsTest, RefusesAMisshapenTensor) {
  ModelFolder folder(kNanoSort);
  folder.tensor("transformer.h.0.mlp.c_fc.weight").shape = {192, 48};
  ExpectRefused(folder, "misshapen_tensor", "transformer.h.0.mlp.c_fc.weight");
}

TEST(WeightsTest, RefusesADtypeThatIsNotAWeight) {
  ModelFolder folder(kNanoSort);
  folder.tensor("transformer.ln_f.weight").dtype = DType::kI32;
  const auto loaded = folder.Load();
  EXPECT_THAT(loaded, StatusIs(StatusCode::kUnsupported, "unsupported_dtype"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("transformer.ln_f.weight"));
}

TEST(WeightsTest, NamesWithoutAPrefixGiveTheSameModel) {
  for (const auto& [golden, prefix] :
       {std::pair{kNanoSort, std::string("transformer.")}, {kStories, "model."}}) {
    const LoadedModel original = Load(golden);
    ModelFolder folder(golden);
    folder.Rename([&](const std::string& name) {
      return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    });
    ASSERT_OK_AND_ASSIGN(const LoadedModel renamed, folder.Load());
    EXPECT_TRUE(at::equal(SomeLogits(renamed), SomeLogits(original)));
    EXPECT_EQ((*original).Down(LayerIndex(0)).tensors[0],
              prefix + (*renamed).Down(LayerIndex(0)).tensors[0]);
  }
}

TEST(WeightsTest, KnownBuffersAreIgnored) {
  ModelFolder gpt2(kNanoSort);
  gpt2.Add("transformer.h.0.attn.masked_bias", at::full({1}, -1e4));
  EXPECT_THAT(gpt2.Load(), IsOk());
  ModelFolder llama(kStories);
  llama.Add("model.layers.0.self_attn.rotary_emb.inv_freq", at::ones({4}));
  EXPECT_THAT(llama.Load(), IsOk());
}

TEST(WeightsTest, ATiedFileMayRepeatItsEmbeddingAsHeadButNotContradictIt) {
  const at::Tensor embedding = GoldenTensor(kStories, "model.embed_tokens.weight");
  ModelFolder same(kStories);
  same.Add("lm_head.weight", embedding);
  EXPECT_THAT(same.Load(), IsOk());
  ModelFolder other(kStories);
  other.Add("lm_head.weight", at::add(embedding, 1));
  ExpectRefused(other, "untied_head", "lm_head.weight");
}

TEST(WeightsTest, AnUntiedLlamaUsesItsOwnHead) {
  const at::Tensor embedding = GoldenTensor(kStories, "model.embed_tokens.weight");
  ModelFolder folder(kStories);
  folder.config()["tie_word_embeddings"] = false;
  folder.Add("lm_head.weight", at::mul(embedding, 2));
  ASSERT_OK_AND_ASSIGN(const LoadedModel untied, folder.Load());
  EXPECT_LT(LargestDifference(SomeLogits(untied), at::mul(SomeLogits(Load(kStories)), 2)), 1e-4);
}

TEST(WeightsTest, BiasesOfLlamaAreAdded) {
  ModelFolder folder(kStories);
  folder.config()["attention_bias"] = true;
  folder.config()["mlp_bias"] = true;
  for (int layer = 0; layer < 5; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    for (const auto& [part, width] : {std::pair{"self_attn.q_proj", 64},
                                      {"self_attn.k_proj", 32},
                                      {"self_attn.v_proj", 32},
                                      {"self_attn.o_proj", 64},
                                      {"mlp.gate_proj", 172},
                                      {"mlp.up_proj", 172},
                                      {"mlp.down_proj", 64}}) {
      folder.Add(name + part + ".bias", at::zeros({width}));
    }
  }
  ASSERT_OK_AND_ASSIGN(const LoadedModel zeros, folder.Load());
  EXPECT_LT(LargestDifference(SomeLogits(zeros), SomeLogits(Load(kStories))), 1e-5);
  auto& bias = folder.tensor("model.layers.4.mlp.down_proj.bias");
  const std::vector<float> ones(64, 1.0F);
  std::memcpy(bias.bytes.data(), ones.data(), bias.bytes.size());
  ASSERT_OK_AND_ASSIGN(const LoadedModel shifted, folder.Load());
  const at::Tensor hidden = at::zeros({1, 1, 64}), positions = at::zeros({1, 1}, at::kLong);
  const auto block = [&](const LoadedModel& loaded) {
    return (*loaded).Finish(
        LayerIndex(4),
        (*loaded).Attend(LayerIndex(4), {.hidden = hidden, .positions = positions, .mask = {}}));
  };
  EXPECT_LT(LargestDifference(block(shifted), at::add(block(zeros), 1)), 1e-6);
}

TEST(WeightsTest, NarrowFilesAreWidenedExactly) {
  for (const auto& [type, dtype] :
       {std::pair{at::kBFloat16, DType::kBF16}, {at::kHalf, DType::kF16}}) {
    ModelFolder folder(kNanoSort);
    folder.Narrow(type, dtype);
    ASSERT_OK_AND_ASSIGN(const LoadedModel narrow, folder.Load());
    const at::Tensor weight = (*narrow).DownWeight(LayerIndex(1));
    EXPECT_EQ(weight.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(
        weight,
        GoldenTensor(kNanoSort, "transformer.h.1.mlp.c_proj.weight").to(type).to(at::kFloat)));
  }
}

}  // namespace
}  // namespace emend::test::weights_test
