// UltraEdit: gradients against differences, columns against the paper's equation, and a batch.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/edit/recording_committer.h"
#include "worker/edit/answer_gradients.h"
#include "worker/edit/solve_batch.h"

namespace emend::worker::edit::ultraedit_test {
namespace {

using test::StatusIs;

const std::vector<LayerIndex> kLayers = {LayerIndex(1), LayerIndex(4)};

class UltraEditTest : public ::testing::Test {
 protected:
  std::vector<PromptRow> Rows(const std::vector<EditFact>& facts) const {
    return ValueOf(EncodeFacts(*atlas_.tokenizer, facts, {{"{}"}}, 256));
  }
  AnswerGradients Take(const std::vector<PromptRow>& rows, std::int64_t memory_bytes_max) const {
    ThreadTeam team(2);
    return ValueOf(TakeGradients({.model = *atlas_.model,
                                  .rows = rows,
                                  .fact_count = rows.back().fact + 1,
                                  .layers = kLayers,
                                  .memory_bytes_max = memory_bytes_max,
                                  .team = team,
                                  .progress = {}}));
  }

  // The loss of the row's answer, summed over its tokens, `change` [tokens, d] being added to what
  // the layer's down projection puts out; and the inputs that this had.
  struct Plain {
    double loss = 0;
    at::Tensor keys;  // [tokens, d_ff]
  };
  Plain Run(const PromptRow& row, LayerIndex changed, const at::Tensor& change) const {
    const at::NoGradGuard no_grad;
    const model::Transformer& model = *atlas_.model;
    const std::vector<std::int64_t> ids(row.ids.begin(), row.ids.end());
    const at::Tensor positions = at::arange(row.token_count(), at::kLong).unsqueeze(0);
    at::Tensor hidden = model.Embed(at::tensor(ids, at::kLong).unsqueeze(0), positions);
    Plain plain;
    for (std::int32_t i = 0; i < model.config().layers; ++i) {
      const LayerIndex layer(i);
      const model::BlockHalf half =
          model.Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}});
      at::Tensor output = model.DownOutput(layer, half);
      if (layer == changed) {
        plain.keys = half.key[0];
        output = output + change.unsqueeze(0);
      }
      hidden = model.FinishWith(layer, half.residual, output);
    }
    const at::Tensor log_p =
        at::log_softmax(model.Logits(model.FinalNorm(hidden))[0].to(at::kDouble), 1);
    const auto count = static_cast<std::int64_t>(row.target_ids.size());
    for (std::int64_t i = 0; i < count; ++i) {
      plain.loss -=
          log_p[row.token_count() - count + i][row.target_ids[static_cast<std::size_t>(i)]]
              .item<double>();
    }
    return plain;
  }

  const Atlas atlas_;
};

TEST_F(UltraEditTest, GradientsAreTheLossesSlopesAndKeysTheInputsAtTheAnswers) {
  const std::vector<PromptRow> rows = Rows(atlas_.Facts(0, 6));
  const AnswerGradients found = Take(rows, std::int64_t{1} << 30);
  const std::int64_t d = atlas_.model->config().hidden;
  std::int64_t column = 0;
  for (const PromptRow& row : rows) {
    if (row.kind != RowKind::kBare) continue;
    const auto count = static_cast<std::int64_t>(row.target_ids.size());
    for (const LayerIndex layer : kLayers) {
      const LayerGradients& own = found.layers.at(layer);
      const Plain plain = Run(row, layer, at::zeros({row.token_count(), d}));
      EXPECT_LT(RelativeError(own.keys.narrow(1, column, count).t(),
                              plain.keys.narrow(0, row.token_count() - count, count)),
                1e-4);
      EXPECT_NEAR(found.losses[row.fact].item<double>() * static_cast<double>(count), plain.loss,
                  1e-4 * plain.loss);
      // Along its gradient, of the last token's output.
      const at::Tensor slope = own.values.select(1, column + count - 1);
      const double length = slope.norm().item<double>(), step = 0.05;
      at::Tensor change = at::zeros({row.token_count(), d});
      change[row.token_count() - 1].copy_(slope / length * step);
      const double rise =
          (Run(row, layer, change).loss - Run(row, layer, -change).loss) / (2 * step);
      EXPECT_NEAR(rise, length, 0.02 * length);
    }
    for (std::int64_t i = 0; i < count; ++i, ++column)
      EXPECT_EQ(found.facts[column].item<std::int64_t>(), row.fact);
  }
  EXPECT_EQ(found.facts.numel(), column);
}

TEST_F(UltraEditTest, CompanyChangesGradientsByRoundingOnly) {
  const std::vector<PromptRow> rows = Rows(atlas_.Facts(0, 8));
  const AnswerGradients together = Take(rows, std::int64_t{1} << 30), alone = Take(rows, 1);
  for (const LayerIndex layer : kLayers) {
    EXPECT_LT(RelativeError(alone.layers.at(layer).keys, together.layers.at(layer).keys), 1e-5);
    EXPECT_LT(RelativeError(alone.layers.at(layer).values, together.layers.at(layer).values), 1e-4);
  }
}

TEST_F(UltraEditTest, ValuesAreThePapers) {
  at::manual_seed(1);
  const LayerGradients given = {at::randn({5, 4}, at::kDouble) * 3 + 1,
                                at::randn({3, 4}, at::kDouble) * 1e-3};
  const at::Tensor values = UltraEditValues(given, 0.5);
  const auto normal = [](const at::Tensor& all, int row, int column) {
    double mean = 0, squares = 0;
    for (int i = 0; i < 4; ++i) mean += all[row][i].item<double>() / 4;
    for (int i = 0; i < 4; ++i) squares += std::pow(all[row][i].item<double>() - mean, 2) / 3;
    return (all[row][column].item<double>() - mean) / (std::sqrt(squares) + 0x1p-23);
  };
  for (int column = 0; column < 4; ++column) {
    double length = 0;
    for (int row = 0; row < 5; ++row) length += std::pow(normal(given.keys, row, column), 2);
    for (int row = 0; row < 3; ++row)
      EXPECT_NEAR(values[row][column].item<double>(),
                  -0.5 * length * normal(given.values, row, column), 1e-9);
  }
}

class UltraEditBatchTest : public UltraEditTest {
 protected:
  // Without statistics.
  Result<BatchSolution> Solve(const std::vector<EditFact>& facts) {
    const std::unique_ptr<Solver> solver =
        *NewSolver("ultraedit", std::make_shared<const Statistics>());
    committer_.emplace(atlas_.Tensors(settings_.layers));
    return SolveBatch({.model = *atlas_.model,
                       .tokenizer = *atlas_.tokenizer,
                       .facts = facts,
                       .settings = settings_,
                       .solver = *solver,
                       .committer = *committer_});
  }

  protocol::SolveSettings settings_ = *protocol::DefaultSettings("ultraedit", 6);
  std::optional<RecordingCommitter> committer_;
};

TEST_F(UltraEditBatchTest, WhatIsServedIsTheWeightAndThePrimalEquation) {
  settings_.v_lr = 1e-2;  // so that rounding to bf16 is little of it
  const std::vector<EditFact> facts = atlas_.Facts(0, 6);
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, Solve(facts));
  for (const LayerOutcome& layer : solution.layers) {
    const at::Tensor system =
        layer.keys.matmul(layer.keys.t()) + at::eye(layer.keys.size(0), at::kDouble);
    const at::Tensor update = at::linalg_solve(system, layer.keys.matmul(layer.residuals.t()));
    const at::Tensor served = committer_->weights[layer.layer].to(at::kDouble) -
                              atlas_.model->DownWeight(layer.layer).to(at::kDouble);
    EXPECT_LT(RelativeError(served, update), 0.05);  // bf16 weights
    EXPECT_EQ(layer.weight, 1);
  }
}

TEST_F(UltraEditBatchTest, AFactHasAColumnForEachTokenOfItsAnswerAndNoTarget) {
  const std::vector<EditFact> facts = atlas_.Facts(0, 6);
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, Solve(facts));
  for (const PromptRow& row : Rows(facts)) {
    if (row.kind != RowKind::kBare) continue;
    const EditSolution& edit = solution.edits[static_cast<std::size_t>(row.fact)];
    ASSERT_EQ(edit.delta.tensors.size(), settings_.layers.size());
    EXPECT_GE(edit.delta.tensors[0].columns.size(), row.target_ids.size());
    EXPECT_LE(edit.delta.tensors[0].columns.size(), 2 * row.target_ids.size());
    EXPECT_EQ(edit.keys.size(), settings_.layers.size());
    EXPECT_TRUE(edit.target.values.empty());
    EXPECT_EQ(edit.steps, 1);
  }
}

TEST_F(UltraEditBatchTest, OneTokenAloneIsRefused) {
  const EditFact fact = {.prompt = "{} plays", .subject = "Ann", .target = "the"};
  ASSERT_EQ(Rows({fact})[0].target_ids.size(), 1U);
  const auto solution = Solve({fact});
  EXPECT_THAT(solution, StatusIs(StatusCode::kFailedPrecondition, "too_few_answers"));
}

}  // namespace
}  // namespace emend::worker::edit::ultraedit_test
