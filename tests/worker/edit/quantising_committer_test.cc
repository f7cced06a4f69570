#include "worker/edit/quantising_committer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/storage/delta/ledger_columns.h"
#include "tests/support/status_matchers.h"

namespace emend::worker::edit::quantising_committer_test {
namespace {

using storage::delta::Column;
using storage::delta::DType;
using storage::delta::EditDelta;
using storage::delta::Ledger;
using storage::delta::MetricSide;
using test::StatusIs;

const LayerIndex kLayer(1);
constexpr std::int64_t kInner = 48;  // d_ff
constexpr std::int64_t kHidden = 20;
constexpr std::int64_t kEdits = 7;

std::vector<std::uint8_t> BytesOf(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  const auto* data = static_cast<const std::uint8_t*>(dense.const_data_ptr());
  return {data, data + dense.nbytes()};
}

class QuantisingCommitterTest : public ::testing::TestWithParam<std::tuple<bool, DType>> {
 protected:
  QuantisingCommitterTest() {
    at::manual_seed(3);
    const auto [in_out, dtype] = GetParam();
    const at::ScalarType type = dtype == DType::kBF16  ? at::kBFloat16
                                : dtype == DType::kF16 ? at::kHalf
                                                       : at::kFloat;
    weight_ = (at::randn({kInner, kHidden}) * 0.1).to(type);
    base_ = BytesOf(in_out ? weight_ : weight_.t());
    tensor_ = {.name = "down",
               .dtype = dtype,
               .stored_in_out = in_out,
               .rows = static_cast<std::uint64_t>(in_out ? kInner : kHidden),
               .cols = static_cast<std::uint64_t>(in_out ? kHidden : kInner),
               .range = {0, static_cast<std::uint64_t>(in_out ? kInner : kHidden), 0,
                         static_cast<std::uint64_t>(in_out ? kHidden : kInner)},
               .base = base_,
               .ledger = {},
               .ledger_bound = 0};
    // A steep metric: some of its directions are measured a million times as strictly as others.
    const at::Tensor scale = at::logspace(-3, 3, kInner, 10.0, at::TensorOptions(at::kDouble));
    const at::Tensor keys = at::randn({kInner, kEdits}, at::kDouble) * scale.unsqueeze(1) * 0.1;
    update_ = {.layer = kLayer,
               .adjusted_keys = at::randn({kInner, kEdits}, at::kDouble) / scale.unsqueeze(1),
               .residuals = at::randn({kHidden, kEdits}, at::kDouble) * 1e-2,
               .metric = {.factor = at::diag(scale).unsqueeze(0), .keys = keys}};
  }

  // Both of its parts: one rank is all there is.
  Result<CommittedLayer> CommitBy(LayerCommitter& committer) const {
    CommittedLayer committed;
    EMEND_ASSIGN_OR_RETURN(committed.deltas, committer.Quantise(update_));
    EMEND_ASSIGN_OR_RETURN(committed.weight, committer.Apply(update_, committed.deltas));
    return committed;
  }
  CommittedLayer Commit() {
    QuantisingCommitter committer({{kLayer, {tensor_}}});
    Result<CommittedLayer> committed = CommitBy(committer);
    EMEND_CHECK(committed.ok(), committed.status().ToString());
    return std::move(committed).value();
  }

  at::Tensor weight_;
  std::vector<std::uint8_t> base_;
  EditedTensor tensor_;
  LayerUpdate update_;
};
INSTANTIATE_TEST_SUITE_P(Layouts, QuantisingCommitterTest,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(DType::kBF16, DType::kF16,
                                                              DType::kF32)));

TEST_P(QuantisingCommitterTest, ColumnsAreThoseOfEachEditQuantisedAloneInTheSolvesNorm) {
  const CommittedLayer committed = Commit();
  ASSERT_EQ(committed.deltas.size(), static_cast<std::size_t>(kEdits));
  bool any_pair = false;
  for (std::int64_t edit = 0; edit < kEdits; ++edit) {
    const at::Tensor key = update_.adjusted_keys.select(1, edit).contiguous();
    const at::Tensor residual = update_.residuals.select(1, edit).contiguous();
    const std::span<const double> u(key.const_data_ptr<double>(), kInner),
        v(residual.const_data_ptr<double>(), kHidden);
    storage::delta::QuantiseOptions options;
    options.metric_side = tensor_.stored_in_out ? MetricSide::kRows : MetricSide::kCols;
    options.metric_norm = [&](std::span<const double> x) {
      const at::Tensor vector = at::empty({kInner, 1}, at::kDouble);
      std::memcpy(vector.mutable_data_ptr(), x.data(), x.size_bytes());
      return std::sqrt(update_.metric.SquaredNorms(vector).item<double>());
    };
    ASSERT_OK_AND_ASSIGN(const std::vector<Column> alone,
                         tensor_.stored_in_out ? QuantiseOuterProduct(u, v, options)
                                               : QuantiseOuterProduct(v, u, options));
    EXPECT_EQ(committed.deltas[edit].tensors[0].columns, alone) << edit;
    EXPECT_EQ(committed.deltas[edit].tensors[0].tensor, "down");
    EXPECT_EQ(committed.deltas[edit].tensors[0].rows, tensor_.rows);
    any_pair |= alone.size() == 2;
  }
  EXPECT_TRUE(any_pair) << "the metric was meant to be too strict for one column";
}

TEST_P(QuantisingCommitterTest, TheServedWeightIsTheIntegerRebuildOnTopOfTheParent) {
  Ledger ledger({0, tensor_.rows, 0, tensor_.cols});
  for (std::size_t i = 0; i < ledger.values().size(); ++i)
    ledger.mutable_values()[i] = static_cast<std::int64_t>(i * i) << 24;
  const std::vector<std::int64_t> parent(ledger.values().begin(), ledger.values().end());
  tensor_.ledger = parent;
  const CommittedLayer committed = Commit();
  for (const EditDelta& delta : committed.deltas) {
    for (const Column& column : delta.tensors[0].columns) AddColumn(ledger, column);
  }
  std::vector<std::uint8_t> served(base_.size());
  ASSERT_THAT(ServeWeights(ledger, tensor_.dtype, base_, served), test::IsOk());
  ASSERT_OK_AND_ASSIGN(const at::Tensor expected, WidenWeight(tensor_, served));
  EXPECT_TRUE(at::equal(committed.weight, expected));
  EXPECT_EQ(committed.weight.sizes(), at::IntArrayRef({kInner, kHidden}));
  EXPECT_EQ(committed.weight.scalar_type(), at::kFloat);
}

TEST_P(QuantisingCommitterTest, TheServedWeightIsCloseToTheFloatUpdate) {
  const at::Tensor exact =
      weight_.to(at::kDouble) + update_.adjusted_keys.matmul(update_.residuals.t());
  EXPECT_LT(((Commit().weight - exact).norm() / exact.norm()).item<double>(), 5e-3);
}

TEST_P(QuantisingCommitterTest, AnOverdrawnBudgetIsRefused) {
  tensor_.ledger_bound = (std::uint64_t{1} << 63) - 2;
  QuantisingCommitter committer({{kLayer, {tensor_}}});
  EXPECT_THAT(CommitBy(committer), StatusIs(StatusCode::kResourceExhausted, "ledger_overflow"));
}

TEST_P(QuantisingCommitterTest, WrongSizesUnknownLayersAndNonFiniteUpdatesAreRefused) {
  QuantisingCommitter elsewhere({{LayerIndex(2), {tensor_}}});
  EXPECT_THAT(CommitBy(elsewhere), StatusIs(StatusCode::kInvalidArgument));
  QuantisingCommitter committer({{kLayer, {tensor_}}});
  update_.residuals[0][2] = std::nan("");
  const Result<CommittedLayer> bad = CommitBy(committer);
  ASSERT_THAT(bad, StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(bad.status().message(), ::testing::HasSubstr("fact 2"));
  tensor_.rows += 1;
  QuantisingCommitter misshapen({{kLayer, {tensor_}}});
  EXPECT_THAT(CommitBy(misshapen), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::worker::edit::quantising_committer_test
