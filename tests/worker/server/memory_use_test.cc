// What ranks hold is what was predicted from the model's folder alone: both families, on one rank
// and on several.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "coordinator/core/memory_estimate.h"
#include "storage/delta/payload.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/collective/rank_group.h"
#include "worker/protocol/solve_settings.h"
#include "worker/server/live_base.h"

namespace emend::worker::server::memory_use_test {
namespace {

using collective::Communicator;
using coordinator::core::EstimateMemory;
using coordinator::core::MemoryEstimate;
using storage::delta::EditDelta;
using test::IsOk;
using test::OnEachRank;

constexpr std::size_t kEdits = 5;
constexpr std::size_t kStates = 2;
constexpr double kOff = 0.05;

struct Case {
  const char* name;
  std::string folder;
  int ranks;
};
std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << each.name << each.ranks;
}

template <typename Id>
Id Numbered(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return Id(digest);
}

class MemoryUseTest : public testing::TestWithParam<Case> {
 protected:
  MemoryUseTest() : folder_(GetParam().folder) {
    if (std::filesystem::exists(folder_ + "/tokenizer.json")) return;
    std::filesystem::copy(folder_, copy_.path(), std::filesystem::copy_options::recursive);
    std::filesystem::copy_file("tests/golden/tokenizer/sp_llama.tokenizer.model",
                               copy_.path() + "/tokenizer.model");
    folder_ = copy_.path();
  }

  // Some states of some edits of these layers, and statistics with their factors, as after a first
  // batch.
  protocol::MemoryUse Fill(Communicator& ranks, const std::vector<std::int32_t>& layers) const {
    auto base = std::move(LiveBase::Load({Numbered<BaseId>(1), folder_, {}},
                                         {.states_max = kStates}, ranks))
                    .value();
    PutEdits(*base, layers);
    std::vector<EditId> edits;
    for (std::size_t i = 0; i < kEdits; ++i)
      edits.push_back(Numbered<EditId>(static_cast<std::uint8_t>(i)));
    for (std::size_t i = 0; i < kStates + 1; ++i)
      EXPECT_THAT(base->Ensure(Numbered<StateId>(static_cast<std::uint8_t>(i)), edits), IsOk());
    Solve(*base, layers, ranks);
    return base->memory();
  }

  static void PutEdits(LiveBase& base, const std::vector<std::int32_t>& layers) {
    for (std::size_t i = 0; i < kEdits; ++i) {
      EditDelta delta;
      for (const std::int32_t layer : layers) {
        for (const std::string& name : base.base_model().Down(LayerIndex(layer)).tensors) {
          const auto shape = base.checkpoint().Find(name)->shape;
          storage::delta::Column column{
              .a = std::vector<std::int16_t>(shape[0], 1),
              .b = std::vector<std::int16_t>(shape[1], static_cast<std::int16_t>(i))};
          delta.tensors.push_back({name, shape[0], shape[1], {std::move(column)}});
        }
      }
      EXPECT_THAT(base.edits().Put(Numbered<EditId>(static_cast<std::uint8_t>(i)),
                                   storage::delta::EncodePayload(delta)),
                  IsOk());
    }
  }

  void Solve(LiveBase& base, const std::vector<std::int32_t>& layers, Communicator& ranks) const {
    edit::Statistics statistics{.covariance = {}, .tokens = 1};
    for (const std::int32_t layer : layers) {
      statistics.holders[LayerIndex(layer)] = 0;
      const model::DownProjection& down = base.base_model().Down(LayerIndex(layer));
      const at::Tensor unit = at::eye(down.width, at::kDouble);
      const bool has_experts = down.parts() > 1;
      if (has_experts) statistics.passed[LayerIndex(layer)].resize(down.tensors.size(), down.width);
      if (ranks.rank() == 0)
        statistics.covariance[LayerIndex(layer)] =
            has_experts ? unit.repeat({down.parts(), 1, 1}) : unit;
    }
    EXPECT_THAT(edit::SaveStatistics(statistics, base.id().Hex(), statistics_.path() + "/c", ranks),
                IsOk());
    auto* const solver = base.SolverOf("memit", statistics_.path() + "/c").value();
    for (const std::int32_t layer : layers) {
      if (solver->HolderOf(LayerIndex(layer)) != ranks.rank()) continue;
      const model::DownProjection& down = base.base_model().Down(LayerIndex(layer));
      protocol::SolveSettings settings;
      settings.mom2_update_weight = 1;
      EXPECT_THAT(solver->Solve({.layer = LayerIndex(layer),
                                 .settings = settings,
                                 .keys = at::ones({down.parts() * down.width, 1}, at::kDouble)}),
                  IsOk());
    }
  }

  const test::TemporaryFolder copy_;
  const test::TemporaryFolder statistics_;
  std::string folder_;
};
INSTANTIATE_TEST_SUITE_P(Models, MemoryUseTest,
                         testing::Values(Case{"atlas", "docs/examples/atlas/model", 1},
                                         Case{"atlas", "docs/examples/atlas/model", 2},
                                         Case{"atlas", "docs/examples/atlas/model", 4},
                                         Case{"stories", "tests/golden/stories260K", 1},
                                         Case{"stories", "tests/golden/stories260K", 2},
                                         Case{"stories", "tests/golden/stories260K", 8},
                                         Case{"experts", "tests/golden/families/qwen3_moe", 1},
                                         Case{"experts", "tests/golden/families/qwen3_moe", 2}),
                         testing::PrintToStringParamName());

TEST_P(MemoryUseTest, RanksHoldWhatWasPredicted) {
  const auto predicted =
      EstimateMemory(folder_, {.ranks = GetParam().ranks, .edits = kEdits, .states = kStates});
  ASSERT_THAT(predicted.status(), IsOk());
  std::vector<protocol::MemoryUse> held(predicted->ranks.size());
  OnEachRank(GetParam().ranks, [&](Communicator& ranks) {
    held[static_cast<std::size_t>(ranks.rank())] = Fill(ranks, predicted->layers);
  });
  for (std::size_t rank = 0; rank < held.size(); ++rank) {
    const auto near = [&](const char* kind, std::uint64_t expected, std::uint64_t found) {
      EXPECT_NEAR(static_cast<double>(expected), static_cast<double>(found),
                  kOff * static_cast<double>(found))
          << kind << " of rank " << rank;
    };
    near("weights", predicted->ranks[rank].weights_bytes, held[rank].weights_bytes);
    near("states", predicted->ranks[rank].states_bytes, held[rank].states_bytes);
    near("statistics", predicted->ranks[rank].statistics_bytes, held[rank].statistics_bytes);
  }
}

TEST(MemoryEstimateTest, LayersThatAreNotNamedAreThoseOfCommits) {
  const MemoryEstimate atlas = std::move(EstimateMemory("docs/examples/atlas/model", {})).value();
  std::vector<LayerIndex> layers;
  for (const std::int32_t layer : atlas.layers) layers.emplace_back(layer);
  EXPECT_EQ(layers, protocol::DefaultLayers(6));
}

}  // namespace
}  // namespace emend::worker::server::memory_use_test
