// Forward passes against activations that other programs computed.
#include "tests/worker/model/model_fixture.h"

namespace emend::test::golden_test {
namespace {

using worker::model::BlockHalf;

constexpr double kTolerance = 1e-4;

at::Tensor NanoSort(const std::string& name) {
  return GoldenTensor(kNanoSort + "/activations", name);
}

TEST(GoldenTest, FirstBlockOfGpt2MatchesThePublishedActivations) {
  const LoadedModel model = Load(kNanoSort);
  const at::Tensor ids = NanoSort("ids");
  const at::Tensor positions = Positions(ids);
  const BlockHalf half = (*model).Attend(
      LayerIndex(0),
      {.hidden = (*model).Embed(ids, positions), .positions = positions, .mask = {}});
  EXPECT_LT(LargestDifference(half.residual, NanoSort("attnResid")), kTolerance);
  EXPECT_LT(LargestDifference(half.key, NanoSort("gelu")), kTolerance);
  EXPECT_LT(LargestDifference((*model).Finish(LayerIndex(0), half), NanoSort("mlpResid")),
            kTolerance);
}

TEST(GoldenTest, EveryBlockOfGpt2MatchesThePublishedActivations) {
  const LoadedModel model = Load(kNanoSort);
  const at::Tensor ids = NanoSort("ids");
  const at::Tensor positions = Positions(ids);
  at::Tensor hidden = (*model).Embed(ids, positions);
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    hidden = (*model).Finish(
        LayerIndex(layer),
        (*model).Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = {}}));
    EXPECT_LT(LargestDifference(hidden, NanoSort("block" + std::to_string(layer))), kTolerance)
        << "block " << layer;
  }
  const at::Tensor normed = (*model).FinalNorm(hidden);
  EXPECT_LT(LargestDifference(normed, NanoSort("ln_f")), kTolerance);
  EXPECT_LT(LargestDifference((*model).Logits(normed), NanoSort("lm_head")), kTolerance);
}

TEST(GoldenTest, DownWeightIsOrientedFromKeyToHidden) {
  const LoadedModel model = Load(kNanoSort);
  const at::Tensor bias = GoldenTensor(kNanoSort, "transformer.h.0.mlp.c_proj.bias");
  const at::Tensor out =
      at::add(at::matmul(NanoSort("gelu"), (*model).DownWeight(LayerIndex(0))), bias);
  EXPECT_LT(LargestDifference(out, NanoSort("mlp")), kTolerance);
  EXPECT_EQ((*model).Down(LayerIndex(2)).tensors[0], "transformer.h.2.mlp.c_proj.weight");
  EXPECT_TRUE((*model).Down(LayerIndex(2)).stored_in_out);
}

TEST(GoldenTest, LogitsOfLlamaMatchAnIndependentForwardPass) {
  const LoadedModel model = Load(kStories);
  const at::Tensor ids = GoldenTensor(kStories + "/logits", "ids").unsqueeze(0);
  const at::Tensor expected = GoldenTensor(kStories + "/logits", "logits").unsqueeze(0);
  EXPECT_LT(LargestDifference(Forward(*model, ids), expected), kTolerance);
  // The first tokens alone take the attention form for short texts.
  EXPECT_LT(LargestDifference(Forward(*model, ids.narrow(1, 0, 12)), expected.narrow(1, 0, 12)),
            kTolerance);
}

TEST(GoldenTest, DownWeightOfLlamaIsTurnedFromTheFile) {
  const LoadedModel model = Load(kStories);
  const at::Tensor stored = GoldenTensor(kStories, "model.layers.3.mlp.down_proj.weight");
  EXPECT_TRUE(at::equal((*model).DownWeight(LayerIndex(3)), stored.t()));
  EXPECT_TRUE((*model).DownWeight(LayerIndex(3)).is_contiguous());
  EXPECT_EQ((*model).Down(LayerIndex(3)).tensors[0], "model.layers.3.mlp.down_proj.weight");
  EXPECT_FALSE((*model).Down(LayerIndex(3)).stored_in_out);
}

TEST(GoldenTest, GreedyDecodingOfLlamaFollowsTheGolden) {
  const LoadedModel model = Load(kStories);
  const at::Tensor expected = GoldenTensor(kStories + "/logits", "greedy_ids");
  // Teacher-forced: where every argmax is the next golden token, free-running decoding takes the
  // same way.
  const at::Tensor next = at::argmax(Forward(*model, expected.unsqueeze(0)), -1).squeeze(0);
  EXPECT_TRUE(at::equal(next.narrow(0, 0, expected.size(0) - 1),
                        expected.narrow(0, 1, expected.size(0) - 1)));
}

}  // namespace
}  // namespace emend::test::golden_test
