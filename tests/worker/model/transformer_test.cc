// What every family promises, on both: incremental decoding, padding, shared weights, gradients.
#include "worker/model/transformer.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <limits>
#include <map>

#include "tests/worker/model/model_fixture.h"

namespace emend::test::transformer_test {
namespace {

using worker::model::BlockHalf;
using worker::model::PastKeyValues;
using worker::model::Transformer;

constexpr double kTolerance = 2e-5;

struct Case {
  const char* name;
  std::string folder;
  std::int64_t tokens;
};

class TransformerTest : public testing::TestWithParam<Case> {
 protected:
  TransformerTest() : model_(Load(GetParam().folder)) { at::manual_seed(1); }
  const Transformer& model() const { return *model_; }
  at::Tensor RandomIds(std::int64_t batch) const {
    return at::randint(model().config().vocabulary, {batch, GetParam().tokens}, at::kLong);
  }

  LoadedModel model_;
};

// Runs `ids` after `past`, which is replaced by the present of each layer.
at::Tensor Continue(const Transformer& model, const at::Tensor& ids, std::int64_t start,
                    std::vector<PastKeyValues>& past) {
  const at::Tensor positions =
      at::arange(start, start + ids.size(1), at::kLong).expand(ids.sizes());
  at::Tensor hidden = model.Embed(ids, positions);
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    PastKeyValues& entry = past[static_cast<std::size_t>(layer)];
    const BlockHalf half =
        model.Attend(LayerIndex(layer), {.hidden = hidden,
                                         .positions = positions,
                                         .mask = {},
                                         .past = entry.keys.defined() ? &entry : nullptr});
    entry = half.present;
    hidden = model.Finish(LayerIndex(layer), half);
  }
  return model.Logits(model.FinalNorm(hidden));
}

TEST_P(TransformerTest, PiecewiseDecodingEqualsTheWholePass) {
  const at::Tensor ids = RandomIds(3);
  const at::Tensor whole = Forward(model(), ids);
  for (const std::vector<std::int64_t>& pieces :
       {std::vector<std::int64_t>{1, 1, 4, 1, 3}, {6, 4}, {9, 1}}) {
    std::vector<PastKeyValues> past(static_cast<std::size_t>(model().config().layers));
    std::int64_t start = 0;
    for (const std::int64_t count : pieces) {
      const at::Tensor logits = Continue(model(), ids.narrow(1, start, count), start, past);
      EXPECT_LT(LargestDifference(logits, whole.narrow(1, start, count)), kTolerance);
      start += count;
    }
    EXPECT_EQ(past[0].keys.size(2), start);
  }
}

TEST_P(TransformerTest, PaddingOnTheRightChangesNoRealToken) {
  const at::Tensor ids = RandomIds(2);
  const std::int64_t tokens = ids.size(1), real = tokens - 4;
  const at::Tensor logits = Forward(model(), ids);
  EXPECT_LT(LargestDifference(logits.narrow(1, 0, real), Forward(model(), ids.narrow(1, 0, real))),
            kTolerance);
}

TEST_P(TransformerTest, MaskedPaddingOnTheLeftChangesNoRealToken) {
  const at::Tensor ids = RandomIds(2);
  const std::int64_t tokens = ids.size(1), padding = 3, real = tokens - padding;
  at::Tensor mask = at::full({tokens, tokens}, -std::numeric_limits<float>::infinity()).triu_(1);
  mask.narrow(1, 0, padding).fill_(-1e30);
  const at::Tensor positions =
      at::arange(-padding, real, at::kLong).clamp_min(0).expand(ids.sizes());
  const at::Tensor masked = Forward(model(), ids, positions, mask.expand({2, 1, tokens, tokens}));
  EXPECT_LT(LargestDifference(masked.narrow(1, padding, real),
                              Forward(model(), ids.narrow(1, padding, real))),
            kTolerance);
}

TEST_P(TransformerTest, OtherDownWeightsChangeTheViewAndNotTheModel) {
  const at::Tensor ids = RandomIds(1);
  const at::Tensor before = Forward(model(), ids);
  const LayerIndex edited(1), kept(0);
  const at::Tensor weight =
      at::add(model().DownWeight(edited), at::randn_like(model().DownWeight(edited)));
  const std::unique_ptr<Transformer> view = model().WithDownWeights({{edited, weight}});
  EXPECT_GT(LargestDifference(Forward(*view, ids), before), 1e-2);
  EXPECT_TRUE(at::equal(Forward(model(), ids), before));
  EXPECT_EQ(view->DownWeight(kept).data_ptr(), model().DownWeight(kept).data_ptr());
  EXPECT_EQ(view->DownWeight(edited).data_ptr(), weight.data_ptr());
  EXPECT_TRUE(at::equal(
      Forward(*view->WithDownWeights({{edited, model().DownWeight(edited)}}), ids), before));
}

TEST_P(TransformerTest, GradientsFlowThroughHiddenAndPast) {
  const at::Tensor ids = RandomIds(2), positions = Positions(ids);
  const LayerIndex layer(1);
  const at::Tensor hidden = model().Embed(ids, positions).detach().requires_grad_(true);
  const std::int64_t split = 4, rest = ids.size(1) - split;
  const BlockHalf head = model().Attend(layer, {.hidden = hidden.narrow(1, 0, split),
                                                .positions = positions.narrow(1, 0, split),
                                                .mask = {}});
  const BlockHalf tail = model().Attend(layer, {.hidden = hidden.narrow(1, split, rest),
                                                .positions = positions.narrow(1, split, rest),
                                                .mask = {},
                                                .past = &head.present});
  const at::Tensor probe = at::randn({2, rest, hidden.size(2)});
  const auto pieces =
      torch::autograd::grad({at::sum(at::mul(model().Finish(layer, tail), probe))}, {hidden});

  const BlockHalf all =
      model().Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}});
  const auto whole = torch::autograd::grad(
      {at::sum(at::mul(model().Finish(layer, all).narrow(1, split, rest), probe))}, {hidden});
  EXPECT_LT(LargestDifference(pieces[0], whole[0]), 1e-4);
  EXPECT_GT(at::max(at::abs(whole[0].narrow(1, 0, split))).item<double>(), 0);
}

TEST_P(TransformerTest, Bf16AboveALayerIsTheSameBelowItAndRoundsAbove) {
  const at::Tensor ids = RandomIds(2), positions = Positions(ids);
  const LayerIndex last(static_cast<std::int32_t>(model().config().layers) - 1);
  const at::Tensor exact = Forward(model(), ids);

  const std::unique_ptr<Transformer> rounded = model().WithBf16Above(LayerIndex(0));
  const auto first_key = [&](const Transformer& of) {
    return of
        .Attend(LayerIndex(0),
                {.hidden = of.Embed(ids, positions), .positions = positions, .mask = {}})
        .key;
  };
  EXPECT_TRUE(at::equal(first_key(*rounded), first_key(model())));
  const at::Tensor logits = Forward(*rounded, ids);
  const double change = LargestDifference(logits, exact);
  EXPECT_GT(change, 0);
  EXPECT_LT(change, 0.02 * exact.abs().max().item<double>());
  EXPECT_EQ(rounded->DownWeight(last).data_ptr(), model().DownWeight(last).data_ptr());

  const auto gradient = [&](const Transformer& of) {
    const at::Tensor hidden = model().Embed(ids, positions).detach().requires_grad_(true);
    const BlockHalf half = of.Attend(last, {.hidden = hidden, .positions = positions, .mask = {}});
    return torch::autograd::grad({at::sum(at::square(of.Finish(last, half)))}, {hidden})[0];
  };
  const at::Tensor expected = gradient(model());
  EXPECT_LT(LargestDifference(gradient(*rounded), expected),
            0.02 * expected.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Families, TransformerTest,
                         testing::Values(Case{"Gpt2", kNanoSort, 10}, Case{"Llama", kStories, 10},
                                         Case{"LongLlama", kStories, 40}),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace emend::test::transformer_test
