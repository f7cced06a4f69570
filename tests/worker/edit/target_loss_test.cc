#include "worker/edit/target_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace emend::worker::edit::target_loss_test {
namespace {

at::Tensor Logits(std::uint64_t seed) {
  at::manual_seed(seed);
  return (at::randn({6, 50}) * 3).requires_grad_();
}

at::Tensor Gradient(const at::Tensor& losses, const at::Tensor& logits) {
  return torch::autograd::grad({losses.sum()}, {logits})[0];
}

TEST(TargetLossTest, LossAndGradientAreThoseOfCrossEntropy) {
  const at::Tensor logits = Logits(1);
  const at::Tensor ids = at::randint(50, {6}, at::kLong);
  const at::Tensor weights = at::rand({6});
  const at::Tensor expected =
      at::cross_entropy_loss(logits, ids, {}, at::Reduction::None) * weights;
  const LogitLoss loss = TargetLoss(logits, ids, weights);
  EXPECT_TRUE(at::allclose(loss.losses, expected, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(loss.gradients, Gradient(expected, logits), 1e-5, 1e-6));
}

TEST(TargetLossTest, AnImpossibleTargetHasALargeFiniteLoss) {
  const at::Tensor logits = at::tensor({0.0F, -200.0F}).unsqueeze(0);
  EXPECT_NEAR(TargetLoss(logits, at::ones({1}, at::kLong), at::ones({1})).losses.item<float>(), 200,
              1e-3);
}

TEST(DriftLossTest, TheFirstPredictionIsKeptAndHasNoLoss) {
  at::Tensor initial;
  const LogitLoss loss = DriftLoss(Logits(1), 0.5, initial);
  EXPECT_TRUE(at::allclose(initial, at::log_softmax(Logits(1), -1)));
  EXPECT_EQ(loss.losses.abs().max().item<float>(), 0);
  EXPECT_EQ(loss.gradients.abs().max().item<float>(), 0);
}

TEST(DriftLossTest, LossAndGradientAreThoseOfTheDivergenceFromThePublishedSide) {
  at::Tensor initial;
  DriftLoss(Logits(1), 0.5, initial);
  const at::Tensor logits = Logits(2);
  const at::Tensor expected = 0.5 * at::kl_div(initial, at::log_softmax(logits, -1),
                                               at::Reduction::None, /*log_target=*/true)
                                        .sum(-1);
  const LogitLoss loss = DriftLoss(logits, 0.5, initial);
  EXPECT_TRUE(at::allclose(loss.losses, expected, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(loss.gradients, Gradient(expected, logits), 1e-4, 1e-6));
}

}  // namespace
}  // namespace emend::worker::edit::target_loss_test
