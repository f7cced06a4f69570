#include "worker/edit/delta_optimiser.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace emend::worker::edit::delta_optimiser_test {
namespace {

using Row = std::vector<double>;

double Norm(const Row& row) {
  double sum = 0;
  for (const double value : row) sum += value * value;
  return std::sqrt(sum);
}

// One fact, one number at a time.
struct PlainAdam {
  const protocol::SolveSettings& settings;
  double initial_norm;
  Row delta, first, second;

  void Step(const Row& gradient, int step) {
    const double norm = std::max(Norm(delta), 1e-20);
    Row moved = delta;
    for (std::size_t i = 0; i < delta.size(); ++i) {
      const double total =
          gradient[i] + settings.v_weight_decay * delta[i] / norm / (initial_norm * initial_norm);
      first[i] = 0.9 * first[i] + 0.1 * total;
      second[i] = 0.999 * second[i] + 0.001 * total * total;
      moved[i] -= settings.v_lr * first[i] / (1 - std::pow(0.9, step)) /
                  (std::sqrt(second[i] / (1 - std::pow(0.999, step))) + 1e-8);
    }
    const double limit = settings.clamp_norm_factor * initial_norm;
    const double scale = Norm(moved) > limit ? limit / Norm(moved) : 1;
    for (std::size_t i = 0; i < delta.size(); ++i) delta[i] = moved[i] * scale;
  }
};

TEST(DeltaOptimiserTest, FactsMoveAsPlainAdamWithDecayAndClampMovesThem) {
  protocol::SolveSettings settings;
  settings.v_weight_decay = 2;
  at::manual_seed(5);
  const at::Tensor initial = at::randn({4, 8}) * at::tensor({0.3F, 1.0F, 3.0F, 30.0F}).unsqueeze(1);
  DeltaOptimiser optimiser(settings, initial);
  std::vector<PlainAdam> plain;
  for (int fact = 0; fact < 4; ++fact)
    plain.push_back({settings, initial[fact].norm().item<double>(), Row(8), Row(8), Row(8)});
  for (int step = 1; step <= 12; ++step) {
    const at::Tensor gradients = at::randn({4, 8});
    optimiser.Step(gradients, at::ones({4}, at::kBool), step);
    for (int fact = 0; fact < 4; ++fact) {
      const at::Tensor wide = gradients[fact].to(at::kDouble).contiguous();
      plain[fact].Step(Row(wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + 8), step);
      EXPECT_TRUE(at::allclose(optimiser.deltas()[fact].to(at::kDouble),
                               at::tensor(plain[fact].delta, at::kDouble), 1e-4, 1e-5))
          << fact << " at " << step;
    }
  }
}

TEST(DeltaOptimiserTest, AFactThatIsDoneDoesNotMove) {
  const protocol::SolveSettings settings;
  DeltaOptimiser optimiser(settings, at::ones({2, 4}));
  const at::Tensor active = at::ones({2}, at::kBool);
  optimiser.Step(at::ones({2, 4}), active, 1);
  const at::Tensor before = optimiser.deltas().clone();
  active[1].fill_(false);
  optimiser.Step(at::ones({2, 4}) * 0.5, active, 2);
  EXPECT_FALSE(at::equal(optimiser.deltas()[0], before[0]));
  EXPECT_TRUE(at::equal(optimiser.deltas()[1], before[1]));
}

TEST(DeltaOptimiserTest, TheDecayLossIsTheNormOverTheSquaredInitialNorm) {
  protocol::SolveSettings settings;
  settings.v_weight_decay = 0.5;
  DeltaOptimiser optimiser(settings, at::ones({1, 4}));
  EXPECT_EQ(optimiser.DecayLosses().item<float>(), 0);
  optimiser.Step(at::ones({1, 4}), at::ones({1}, at::kBool), 1);
  EXPECT_NEAR(optimiser.DecayLosses().item<float>(),
              0.5 * optimiser.deltas().norm().item<float>() / 4, 1e-6);
}

}  // namespace
}  // namespace emend::worker::edit::delta_optimiser_test
