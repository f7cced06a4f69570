// The published code's figures on atlas, in fidelity mode: fp32, nothing quantised.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/edit/float_committer.h"

namespace emend::worker::edit::memit_golden_test {
namespace {

constexpr double kSameModel = 1e-4;    // what runs before any edit
constexpr double kSameTargets = 1e-3;  // what follows from the same z
constexpr double kTargetsMedian = 1e-2;

// One column an edit: the errors of the columns, relative, sorted.
std::vector<double> ColumnErrors(const at::Tensor& rows, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kDouble);
  const at::Tensor errors =
      std::get<0>(((rows.to(at::kDouble) - wide).norm(2, {1}) / wide.norm(2, {1})).sort())
          .contiguous();
  return {errors.const_data_ptr<double>(), errors.const_data_ptr<double>() + errors.numel()};
}

class MemitGoldenTest : public ::testing::Test {
 protected:
  Result<BatchSolution> Solve(std::shared_ptr<const Statistics> statistics,
                              const at::Tensor& targets) {
    const std::unique_ptr<Solver> solver = *NewSolver("memit", std::move(statistics));
    FloatCommitter committer(*atlas_.model);
    return SolveBatch({.model = *atlas_.model,
                       .tokenizer = *atlas_.tokenizer,
                       .facts = facts_,
                       .settings = settings_,
                       .solver = *solver,
                       .committer = committer,
                       .targets = {.values = targets, .steps = {}, .losses = {}}});
  }

  void ExpectLayers(const BatchSolution& solution) {
    ASSERT_EQ(solution.layers.size(), settings_.layers.size());
    for (const LayerOutcome& outcome : solution.layers) {
      SCOPED_TRACE(outcome.layer.value());
      EXPECT_LT(RelativeError(outcome.keys.t(), golden_.OfLayer("keys", outcome.layer)),
                outcome.layer == settings_.layers[0] ? kSameModel : kSameTargets);
      EXPECT_LT(RelativeError(outcome.residuals.t(), golden_.OfLayer("resid", outcome.layer)),
                kSameTargets);
      const nlohmann::json& norms =
          golden_.json.at("update_norm_and_weight_norm").at(std::to_string(outcome.layer.value()));
      EXPECT_NEAR(outcome.update_norm / norms.at(0).get<double>(), 1, kSameTargets);
      EXPECT_NEAR(outcome.weight_norm / norms.at(1).get<double>(), 1, kSameModel);
    }
  }

  const Atlas atlas_;
  const MemitGolden golden_;
  const protocol::SolveSettings settings_ = golden_.Settings();
  const std::vector<EditFact> facts_ = atlas_.Facts(0, 100);
};

TEST_F(MemitGoldenTest, TheBatchOfThePublishedCodeIsReproduced) {
  const auto statistics =
      std::make_shared<const Statistics>(atlas_.KeptStatistics(settings_.layers));
  EXPECT_EQ(statistics->tokens, golden_.json.at("covariance").at("tokens").get<std::int64_t>());
  for (const auto& [layer, covariance] : statistics->covariance) {
    EXPECT_LT(RelativeError(covariance.diagonal(), golden_.OfLayer("cov_diag", layer)), kSameModel)
        << "layer " << layer.value();
    EXPECT_LT(RelativeError(covariance.narrow(0, 0, 64).narrow(1, 0, 64),
                            golden_.OfLayer("cov_corner", layer)),
              kSameModel)
        << "layer " << layer.value();
  }

  const at::Tensor golden_targets = golden_.Tensor("zs");
  ASSERT_OK_AND_ASSIGN(const BatchSolution given, Solve(statistics, golden_targets));
  ExpectLayers(given);
  const at::Tensor lookups = golden_.Tensor("lookup");
  for (std::int64_t fact = 0; fact < 100; ++fact)
    EXPECT_EQ(given.edits[fact].lookup, lookups[fact].item<int>()) << facts_[fact].subject;

  ASSERT_OK_AND_ASSIGN(const BatchSolution found, Solve(statistics, at::Tensor()));
  at::Tensor targets = at::empty_like(golden_targets);
  for (std::int64_t fact = 0; fact < 100; ++fact)
    targets[fact].copy_(at::tensor(found.edits[fact].target.values));
  const std::vector<double> errors = ColumnErrors(targets, golden_targets);
  EXPECT_LT(errors[errors.size() / 2], kTargetsMedian);
  RecordProperty("target_error_median", std::to_string(errors[errors.size() / 2]));
  RecordProperty("target_error_largest", std::to_string(errors.back()));
}

}  // namespace
}  // namespace emend::worker::edit::memit_golden_test
