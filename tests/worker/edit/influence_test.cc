#include "worker/edit/influence.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "storage/checkpoint/safetensors.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/collective/rank_group.h"

namespace emend::worker::edit::influence_test {
namespace {

using model::Transformer;
using storage::delta::Column;
using storage::delta::EditDelta;
using tokenizer::TokenId;
using Edits = std::vector<std::shared_ptr<const EditDelta>>;

const std::vector<TokenId> kTokens = {3, 9, 1, 20, 7};
constexpr int kEdits = 4;

std::vector<std::int16_t> Draw(std::mt19937_64& random, std::uint64_t size) {
  std::vector<std::int16_t> values(size);
  for (std::int16_t& value : values) value = static_cast<std::int16_t>(random() % 2001 - 1000);
  return values;
}

// One or two columns in each tensor of the first two layers; the last edit changes nothing.
Edits MadeUp(const storage::checkpoint::Checkpoint& checkpoint, const Transformer& model) {
  std::mt19937_64 random(5);
  Edits edits;
  for (int i = 0; i + 1 < kEdits; ++i) {
    EditDelta delta;
    for (const LayerIndex layer : {LayerIndex(0), LayerIndex(1)}) {
      for (const std::string& name : model.Down(layer).tensors) {
        const auto shape = checkpoint.Find(name)->shape;
        std::vector<Column> columns;
        for (int c = 0; c <= i % 2; ++c) {
          columns.push_back(
              {static_cast<std::uint8_t>(14 + i), Draw(random, shape[0]), Draw(random, shape[1])});
        }
        delta.tensors.push_back({name, shape[0], shape[1], std::move(columns)});
      }
    }
    edits.push_back(std::make_shared<const EditDelta>(std::move(delta)));
  }
  edits.push_back(std::make_shared<const EditDelta>());
  return edits;
}

at::Tensor Vector(const std::vector<std::int16_t>& values) {
  at::Tensor vector = at::empty({static_cast<std::int64_t>(values.size())}, at::kDouble);
  std::ranges::copy(values, vector.mutable_data_ptr<double>());
  return vector;
}

// What the edit adds to the tensor, oriented [d_ff, d].
at::Tensor Dense(const storage::delta::TensorDelta& delta, bool stored_in_out) {
  at::Tensor sum = at::zeros(
      {static_cast<std::int64_t>(delta.rows), static_cast<std::int64_t>(delta.cols)}, at::kDouble);
  for (const Column& column : delta.columns)
    sum += std::ldexp(1.0, column.shift - 48) * at::outer(Vector(column.a), Vector(column.b));
  return stored_in_out ? sum : sum.t();
}

// By the definition, token by token and expert by expert.
std::vector<double> Directly(const Transformer& model, const Edits& edits) {
  const auto count = static_cast<std::int64_t>(kTokens.size());
  const at::Tensor positions = at::arange(count).unsqueeze(0);
  at::Tensor ids = at::empty({1, count}, at::kLong);
  std::ranges::copy(kTokens, ids.mutable_data_ptr<std::int64_t>());
  at::Tensor hidden = model.Embed(ids, positions);
  std::vector<std::vector<double>> shares(edits.size(), std::vector<double>(kTokens.size()));
  for (std::int32_t i = 0; i < 2; ++i) {
    const model::DownProjection& down = model.Down(LayerIndex(i));
    const model::BlockHalf half =
        model.Attend(LayerIndex(i), {.hidden = hidden, .positions = positions, .mask = {}});
    const at::Tensor output = model.DownOutput(LayerIndex(i), half);
    for (std::size_t e = 0; e < edits.size(); ++e) {
      for (const auto& delta : edits[e]->tensors) {
        const auto found = std::ranges::find(down.tensors, delta.tensor);
        if (found == down.tensors.end()) continue;
        const at::Tensor dense = Dense(delta, down.stored_in_out);
        for (std::int64_t t = 0; t < count; ++t) {
          for (std::int64_t a = 0; a < down.active; ++a) {
            if (half.experts.defined() &&
                half.experts[0][t][a].item<std::int64_t>() != found - down.tensors.begin())
              continue;
            const at::Tensor key = half.key[0][t].narrow(0, a * down.width, down.width);
            shares[e][static_cast<std::size_t>(t)] +=
                key.to(at::kDouble).matmul(dense).norm().item<double>() /
                output[0][t].to(at::kDouble).norm().item<double>();
          }
        }
      }
    }
    hidden = model.FinishWith(LayerIndex(i), half.residual, output);
  }
  std::vector<double> influences;
  for (const auto& of_edit : shares) influences.push_back(std::ranges::max(of_edit));
  return influences;
}

// Stored [d_ff, d]; [d, d_ff]; with experts.
class InfluenceTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, InfluenceTest,
                         testing::Values("docs/examples/atlas/model", "tests/golden/families/olmo2",
                                         "tests/golden/families/qwen3_moe"));

TEST_P(InfluenceTest, IsWhatTheColumnsAddBesideTheOutputOnAnySharding) {
  const auto checkpoint = storage::checkpoint::Checkpoint::Open(GetParam()).value();
  const auto alone = collective::NewSingleRankCommunicator();
  const auto whole = Transformer::Load(*checkpoint, *alone).value();
  const Edits edits = MadeUp(*checkpoint, *whole);
  const std::vector<double> expected = Directly(*whole, edits);
  EXPECT_GT(expected[0], 0);
  EXPECT_EQ(expected.back(), 0);
  for (const int ranks : {1, 2}) {
    test::OnEachRank(ranks, [&](collective::Communicator& communicator) {
      const auto model = Transformer::Load(*checkpoint, communicator).value();
      const auto found = InfluencesOn(*model, kTokens, edits);
      ASSERT_THAT(found, test::IsOk());
      ASSERT_EQ(found->size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR((*found)[i], expected[i], 1e-4 * expected[i]) << i << " on " << ranks;
    });
  }
  EXPECT_EQ(InfluencesOn(*whole, kTokens, {})->size(), 0U);
}

TEST_P(InfluenceTest, EndsWithWhatTheProgressSays) {
  const auto checkpoint = storage::checkpoint::Checkpoint::Open(GetParam()).value();
  const auto alone = collective::NewSingleRankCommunicator();
  const auto model = Transformer::Load(*checkpoint, *alone).value();
  const auto stopped =
      InfluencesOn(*model, kTokens, MadeUp(*checkpoint, *model), [](const ProgressReport& report) {
        return report.done < 1 ? OkStatus() : Status(StatusCode::kCancelled, "");
      });
  EXPECT_THAT(stopped, test::StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace emend::worker::edit::influence_test
