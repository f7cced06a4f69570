// Optimising targets against a plain reference: whole texts through the whole model, one fact at a
// time, autograd from the loss down.
#include "worker/edit/targets.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "worker/edit/target_bucket.h"

namespace emend::worker::edit::targets_test {
namespace {

constexpr std::int64_t kPlenty = std::int64_t{1} << 30;

class TargetsTest : public ::testing::Test {
 protected:
  TargetsTest() { settings_.v_num_grad_steps = 6; }

  std::vector<PromptRow> Rows(std::size_t begin, std::size_t count) {
    return ValueOf(EncodeFacts(*atlas_.tokenizer, atlas_.Facts(begin, count),
                               settings_.context_templates, 256));
  }

  Result<Targets> Optimise(const std::vector<PromptRow>& rows, std::int64_t memory_bytes_max,
                           int threads = 2) {
    return OptimiseOn(*atlas_.model, rows, memory_bytes_max, threads);
  }
  Result<Targets> OptimiseOn(const model::Transformer& model, const std::vector<PromptRow>& rows,
                             std::int64_t memory_bytes_max = kPlenty, int threads = 2) {
    ThreadTeam team(threads);
    return OptimiseTargets({.model = model,
                            .original = original_,
                            .rows = rows,
                            .fact_count = rows.back().fact + 1,
                            .settings = settings_,
                            .memory_bytes_max = memory_bytes_max,
                            .team = team,
                            .progress = progress_});
  }

  // The row's logits at the tokens where its loss is taken, δ added to the output of the last
  // edited layer at the lookup token.
  at::Tensor PlainLogits(const PromptRow& row, const at::Tensor& delta) const {
    const std::vector<std::int64_t> ids(row.ids.begin(), row.ids.end());
    const at::Tensor positions = at::arange(row.token_count(), at::kLong).unsqueeze(0);
    at::Tensor hidden = atlas_.model->Embed(at::tensor(ids, at::kLong).unsqueeze(0), positions);
    for (LayerIndex layer(0); layer.value() < atlas_.model->config().layers;
         layer = LayerIndex(layer.value() + 1)) {
      hidden = atlas_.model->Finish(
          layer,
          atlas_.model->Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}}));
      if (layer != settings_.layers.back()) continue;
      const at::Tensor place = at::one_hot(at::tensor({row.lookup}, at::kLong), row.token_count())
                                   .to(at::kFloat)
                                   .unsqueeze(2);
      hidden = hidden + place * delta.view({1, 1, -1});
    }
    const std::int64_t count =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(row.target_ids.size()));
    return atlas_.model->Logits(
        atlas_.model->FinalNorm(hidden.narrow(1, row.token_count() - count, count)))[0];
  }

  at::Tensor PlainLoss(const std::vector<PromptRow>& rows, const at::Tensor& delta) const {
    at::Tensor loss = at::zeros({});
    for (const PromptRow& row : rows) {
      const at::Tensor logits = PlainLogits(row, delta);
      if (row.kind == RowKind::kDrift) {
        const at::Tensor initial =
            at::log_softmax(PlainLogits(row, at::zeros_like(delta)).detach(), -1);
        loss = loss + settings_.kl_factor * at::kl_div(initial, at::log_softmax(logits, -1),
                                                       at::Reduction::Sum, true);
      } else {
        loss = loss + at::cross_entropy_loss(logits, at::tensor(row.target_ids, at::kLong)) / 6;
      }
    }
    return loss;
  }

  const Atlas atlas_;
  protocol::SolveSettings settings_ = MemitGolden().Settings();
  const model::Transformer* original_ = nullptr;
  ProgressFunction progress_;
};

TEST_F(TargetsTest, LossAndGradientOfAStepAreThoseOfWholeTexts) {
  const std::vector<PromptRow> rows = Rows(3, 1);
  at::manual_seed(1);
  const at::Tensor delta = at::randn({1, 256}).requires_grad_();
  const at::Tensor loss = PlainLoss(rows, delta[0]);
  const at::Tensor gradient = torch::autograd::grad({loss}, {delta})[0];
  at::Tensor bucket_loss = at::zeros({});
  at::Tensor bucket_gradient = at::zeros({1, 256});
  for (const PromptRow& row : rows) {
    const std::vector<const PromptRow*> alone = {&row};
    TargetBucket bucket(*atlas_.model, settings_, alone, 0);
    // the first step fixes the initial prediction
    bucket.Step(at::zeros({1, 256}), Gradient::kCompute);
    const BucketStep step = bucket.Step(delta.detach(), Gradient::kCompute);
    bucket_loss += step.losses.sum();
    bucket_gradient += step.gradients;
  }
  EXPECT_NEAR(bucket_loss.item<double>() / loss.item<double>(), 1, 1e-5);
  EXPECT_LT(RelativeError(bucket_gradient, gradient), 1e-4);
}

TEST_F(TargetsTest, FactsDoNotFeelEachOther) {
  ASSERT_OK_AND_ASSIGN(const Targets together, Optimise(Rows(0, 5), kPlenty));
  for (std::int64_t fact = 0; fact < 5; ++fact) {
    ASSERT_OK_AND_ASSIGN(const Targets alone,
                         Optimise(Rows(static_cast<std::size_t>(fact), 1), kPlenty));
    EXPECT_LT(RelativeError(together.values[fact], alone.values[0]), 1e-4) << fact;
    EXPECT_EQ(together.steps[fact], alone.steps[0]);
  }
}

TEST_F(TargetsTest, LittleMemoryMeansMoreChunksAndTheSameTargets) {
  ASSERT_OK_AND_ASSIGN(const Targets whole, Optimise(Rows(0, 2), kPlenty));
  ASSERT_OK_AND_ASSIGN(const Targets cut, Optimise(Rows(0, 2), 1));
  EXPECT_LT(RelativeError(cut.values, whole.values), 1e-4);
  EXPECT_EQ(cut.steps, whole.steps);
}

TEST_F(TargetsTest, TheSameInputGivesTheSameBitsOnEveryThreadCountOfOurs) {
  ASSERT_OK_AND_ASSIGN(const Targets first, Optimise(Rows(0, 6), kPlenty, 2));
  ASSERT_OK_AND_ASSIGN(const Targets again, Optimise(Rows(0, 6), kPlenty, 2));
  ASSERT_OK_AND_ASSIGN(const Targets three, Optimise(Rows(0, 6), kPlenty, 3));
  EXPECT_TRUE(at::equal(first.values, again.values));
  EXPECT_TRUE(at::equal(first.values, three.values));
}

TEST_F(TargetsTest, ATargetThatIsReachedStopsEarly) {
  settings_.v_num_grad_steps = 25;
  settings_.loss_stop = 3;
  ASSERT_OK_AND_ASSIGN(const Targets targets, Optimise(Rows(0, 4), kPlenty));
  EXPECT_LT(*std::ranges::min_element(targets.steps), 25);
  for (std::size_t fact = 0; fact < 4; ++fact)
    EXPECT_EQ(targets.steps[fact] < 25, targets.losses[fact] < 3) << fact;
}

TEST_F(TargetsTest, ATargetThatKeepsItsNormIsAsLongAsTheUneditedModelsValue) {
  const std::vector<PromptRow> rows = Rows(0, 3);
  ASSERT_OK_AND_ASSIGN(const Targets free, Optimise(rows, kPlenty));
  settings_.v_num_grad_steps = 1;  // the last step moves nothing
  ASSERT_OK_AND_ASSIGN(const Targets initial, Optimise(rows, kPlenty));
  settings_.v_num_grad_steps = 6;
  settings_.v_keep_norm = 1;
  const auto norms = [](const at::Tensor& values) { return values.norm(2, {1}, true); };
  for (const std::int64_t memory_bytes_max : {kPlenty, std::int64_t{1}}) {
    ASSERT_OK_AND_ASSIGN(const Targets kept, Optimise(rows, memory_bytes_max));
    EXPECT_LT(RelativeError(kept.values, free.values * norms(initial.values) / norms(free.values)),
              1e-4);
    EXPECT_GT(RelativeError(kept.values, free.values), 1e-2);
  }
  // another model's, where it is not the one that is edited
  const LayerIndex layer(0);
  const auto longer = atlas_.model->WithDownWeights({{layer, 2 * atlas_.model->DownWeight(layer)}});
  settings_.v_keep_norm = 0;
  settings_.v_num_grad_steps = 1;
  original_ = nullptr;
  ASSERT_OK_AND_ASSIGN(const Targets of_longer, OptimiseOn(*longer, rows));
  settings_.v_keep_norm = 1;
  settings_.v_num_grad_steps = 6;
  original_ = longer.get();
  ASSERT_OK_AND_ASSIGN(const Targets kept, Optimise(rows, kPlenty));
  EXPECT_LT(RelativeError(norms(kept.values), norms(of_longer.values)), 1e-5);
  EXPECT_GT(RelativeError(norms(kept.values), norms(initial.values)), 1e-2);
}

TEST_F(TargetsTest, TheLastLayerCanBeTheEditedOne) {
  settings_.layers = {LayerIndex(5)};
  // δ can reach the next token only
  const std::vector<EditFact> facts = {
      {.prompt = "It stands in {}", .subject = "Germany", .target = "Norway"}};
  const std::vector<PromptRow> rows =
      ValueOf(EncodeFacts(*atlas_.tokenizer, facts, settings_.context_templates, 256));
  ASSERT_OK_AND_ASSIGN(const Targets targets, Optimise(rows, kPlenty));
  settings_.v_num_grad_steps = 1;
  ASSERT_OK_AND_ASSIGN(const Targets first, Optimise(rows, kPlenty));
  EXPECT_LT(targets.losses[0], first.losses[0]);
}

TEST_F(TargetsTest, ProgressCanCancel) {
  progress_ = [](const ProgressReport& report) {
    return report.done > 4 ? Status(StatusCode::kCancelled, "enough") : OkStatus();
  };
  EXPECT_THAT(Optimise(Rows(0, 2), kPlenty), test::StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace emend::worker::edit::targets_test
