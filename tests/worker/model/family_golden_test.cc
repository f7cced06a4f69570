// Every family against what the Python package transformers computes with the same tiny random
// model (tests/golden/families/make_goldens.py), on one rank and on several.
#include <algorithm>
#include <filesystem>

#include "tests/worker/collective/rank_group.h"
#include "tests/worker/model/model_fixture.h"
#include "worker/model/key_value_cache.h"

namespace emend::worker::model::family_golden_test {
namespace {

using collective::Communicator;
using test::GoldenTensor;
using test::LargestDifference;
using test::OnEachRank;
using test::Positions;

constexpr double kTolerance = 1e-4;  // of the greatest element, or of 1
const LayerIndex kEdited(1);

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/families")) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

void ExpectNear(const at::Tensor& found, const at::Tensor& expected) {
  const double size = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT(LargestDifference(found, expected), kTolerance * size);
}

// Those of experts below each other, zeros for the ones that a token does not pass.
at::Tensor WideKeys(const Transformer& model, LayerIndex layer, const BlockHalf& half) {
  if (!half.experts.defined()) return model.GatherKeys(layer, half.key);
  const std::int64_t active = half.experts.size(2), parts = model.Down(layer).parts();
  const at::Tensor keys =
      model.GatherKeys(layer, half.key.unflatten(2, {active, model.Down(layer).own.size}));
  return at::matmul(at::one_hot(half.experts, parts).to(at::kFloat).transpose(2, 3), keys)
      .flatten(2);
}

class FamilyGoldenTest : public testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  std::string folder() const { return "tests/golden/families/" + std::get<0>(GetParam()); }
  at::Tensor Golden(const std::string& name) const {
    return GoldenTensor(folder() + "/golden", name);
  }
  void OnRanks(const std::function<void(const Transformer& model)>& check) const {
    OnEachRank(std::get<1>(GetParam()), [&](Communicator& communicator) {
      ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(folder()));
      ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, communicator));
      check(*model);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Families, FamilyGoldenTest,
                         testing::Combine(testing::ValuesIn(Cases()), testing::Values(1, 2, 4)),
                         [](const auto& each) {
                           std::string name = std::get<0>(each.param);
                           std::ranges::replace(name, '-', '_');
                           return name + "_" + std::to_string(std::get<1>(each.param));
                         });

TEST_P(FamilyGoldenTest, KeysOutputsAndLogitsAreThoseOfTransformers) {
  OnRanks([&](const Transformer& model) {
    const at::Tensor ids = Golden("ids"), positions = Positions(ids);
    at::Tensor hidden = model.Embed(ids, positions);
    for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
      const BlockHalf half =
          model.Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = {}});
      const std::string number = "." + std::to_string(layer);
      SCOPED_TRACE("layer" + number);
      ExpectNear(WideKeys(model, LayerIndex(layer), half), Golden("key" + number));
      const at::Tensor output = model.DownOutput(LayerIndex(layer), half);
      ExpectNear(output, Golden("down" + number));
      hidden = model.FinishWith(LayerIndex(layer), half.residual, output);
    }
    ExpectNear(model.Logits(model.FinalNorm(hidden)), Golden("logits"));
  });
}

TEST_P(FamilyGoldenTest, AnEditedWeightGivesTheLogitsOfThatWeight) {
  OnRanks([&](const Transformer& model) {
    const DownProjection& down = model.Down(kEdited);
    const at::Tensor key = Golden("edit_key")
                               .view({down.parts(), -1})
                               .narrow(1, down.own.begin, down.own.size)
                               .flatten();
    const auto edited = model.WithDownWeights(
        {{kEdited, at::add(model.DownWeight(kEdited), at::outer(key, Golden("edit_out")))}});
    ExpectNear(test::Forward(*edited, Golden("ids")), Golden("edited"));
  });
}

TEST_P(FamilyGoldenTest, TokenByTokenOverACacheItSaysTheSame) {
  OnRanks([&](const Transformer& model) {
    const at::Tensor ids = Golden("ids"), logits = Golden("logits");
    KeyValueCache cache(model);
    cache.Resize({.slots = 2, .capacity = ids.size(1)});
    // The first text is three tokens ahead of the second.
    for (std::int64_t step = 0; step < ids.size(1); ++step) {
      std::vector<CacheRun> runs = {{.slot = 0, .begin = step, .tokens = 1}};
      if (step >= 3) runs.push_back({.slot = 1, .begin = step - 3, .tokens = 1});
      const CachedBatch batch(cache, runs);
      std::vector<at::Tensor> tokens;
      for (const CacheRun& run : runs) tokens.push_back(ids[run.slot].narrow(0, run.begin, 1));
      at::Tensor hidden = model.Embed(at::cat(tokens).unsqueeze(0), batch.positions());
      for (std::int32_t layer = 0; layer < model.config().layers; ++layer)
        hidden = model.Finish(
            LayerIndex(layer),
            model.Attend(
                LayerIndex(layer),
                {.hidden = hidden, .positions = batch.positions(), .mask = {}, .cached = &batch}));
      const at::Tensor said = model.Logits(model.FinalNorm(hidden))[0];
      for (std::size_t i = 0; i < runs.size(); ++i) {
        SCOPED_TRACE("text " + std::to_string(runs[i].slot) + ", token " + std::to_string(step));
        ExpectNear(said[static_cast<std::int64_t>(i)], logits[runs[i].slot][runs[i].begin]);
      }
    }
  });
}

}  // namespace
}  // namespace emend::worker::model::family_golden_test
