// Edits of a model with experts: each changes those that its texts pass, and what is served of them
// is what is stored, on one rank and on several.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "storage/delta/payload.h"
#include "storage/delta/rebuild.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/collective/rank_group.h"
#include "worker/edit/solve_batch.h"
#include "worker/edit/statistics.h"
#include "worker/protocol/past_keys.h"
#include "worker/protocol/solve_settings.h"
#include "worker/server/live_base.h"
#include "worker/server/past_keys.h"

namespace emend::worker::server::experts_test {
namespace {

using collective::Communicator;
using storage::delta::EditDelta;
using test::IsOk;
using test::OnEachRank;
using test::StatusIs;

// Four experts of 72 in layers 0 and 1, of which a token passes two.
constexpr char kModel[] = "tests/golden/families/qwen3_moe";
const std::vector<LayerIndex> kLayers = {LayerIndex(0), LayerIndex(1)};
constexpr std::int64_t kExperts = 4, kWidth = 72;
// As if the statistics had seen too little of it.
constexpr std::size_t kFrozen = 2;
constexpr char kAlphabet[] = " abcdefghijklmnopqrstuvwxyz.,ABDFGJKT";
constexpr int kCharacters = 37;

template <typename Id>
Id Numbered(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return Id(digest);
}

std::string TensorOf(LayerIndex layer, std::size_t expert) {
  return "model.layers." + std::to_string(layer.value()) + ".mlp.experts." +
         std::to_string(expert) + ".down_proj.weight";
}

std::vector<std::string> Lines() {
  std::vector<std::string> lines(40);
  std::uint32_t state = 7;
  for (std::string& line : lines) {
    for (int i = 0; i < 60; ++i) {
      state = state * 1664525 + 1013904223;
      line += kAlphabet[(state >> 16) % kCharacters];
    }
  }
  return lines;
}

std::vector<std::int64_t> IdsOf(const LiveBase& base, const std::string& text) {
  const auto encoded = base.tokenizer().Encode(text);
  EMEND_CHECK(encoded.ok(), encoded.status().ToString());
  std::vector<std::int64_t> ids;
  for (const auto& token : *encoded) ids.push_back(token.id);
  return ids;
}

class ExpertsTest : public testing::TestWithParam<int> {
 protected:
  ExpertsTest() {
    std::filesystem::copy(kModel, folder_.path(), std::filesystem::copy_options::recursive);
    nlohmann::json vocabulary;  // a token a character, and one for each target
    for (int id = 0; id < kCharacters; ++id) vocabulary[std::string(1, kAlphabet[id])] = id;
    const nlohmann::json merges = nlohmann::json::parse(R"([[" ", "G"], [" ", "J"]])");
    vocabulary.update({{" G", kCharacters}, {" J", kCharacters + 1}});
    std::ofstream(folder_.path() + "/tokenizer.json") << nlohmann::json{
        {"model", {{"type", "BPE"}, {"unk_token", ","}, {"vocab", vocabulary}, {"merges", merges}}},
        {"decoder", {{"type", "Fuse"}}}};
    settings_ = *protocol::DefaultSettings("memit", 3);
    settings_.layers = kLayers;
    settings_.context_templates = {{"{}"}, {"so be it. {}", "and {}"}};
  }

  std::unique_ptr<LiveBase> Load(Communicator& ranks) const {
    auto base = LiveBase::Load({Numbered<BaseId>(1), folder_.path(), {}}, {.states_max = 3}, ranks);
    EMEND_CHECK(base.ok(), base.status().ToString());
    return std::move(base).value();
  }
  Result<edit::Statistics> Take(const LiveBase& base) const {
    return edit::ComputeStatistics(base.base_model(), base.tokenizer(), Lines(),
                                   {.layers = kLayers, .progress = {}});
  }
  std::string file() const { return folder_.path() + "/statistics"; }
  // With the one expert too rare.
  void SaveStatistics(LiveBase& base, Communicator& ranks) const {
    auto statistics = Take(base);
    ASSERT_THAT(statistics, IsOk());
    for (auto& [layer, passed] : statistics->passed) passed[kFrozen] = kWidth - 1;
    ASSERT_THAT(edit::SaveStatistics(*statistics, base.id().Hex(), file(), ranks), IsOk());
  }

  // On a state without edits.
  Result<edit::BatchSolution> Solve(LiveBase& base, const LiveState& state) const {
    EMEND_ASSIGN_OR_RETURN(LiveBase::ParentTensors parent, base.ParentOf(state, kLayers));
    const bool has_statistics = protocol::FindsTargets(settings_.method);
    EMEND_ASSIGN_OR_RETURN(edit::Solver* const solver,
                           base.SolverOf(settings_.method, has_statistics ? file() : ""));
    edit::QuantisingCommitter committer(std::move(parent.tensors));
    return edit::SolveBatch({.model = base.ModelOf(state),
                             .tokenizer = base.tokenizer(),
                             .facts = facts_,
                             .settings = settings_,
                             .solver = *solver,
                             .committer = committer});
  }
  static std::shared_ptr<const LiveState> Ensure(LiveBase& base, std::uint8_t number,
                                                 const std::vector<EditId>& edits) {
    const auto missing = base.Ensure(Numbered<StateId>(number), edits);
    EMEND_CHECK(missing.ok() && missing->empty(), "an edit was not put");
    return *base.Find(Numbered<StateId>(number));
  }

  // Of the fact's target behind its prompt.
  double Probability(const LiveBase& base, const LiveState& state,
                     const edit::EditFact& fact) const {
    std::string prompt = fact.prompt;
    prompt.replace(prompt.find("{}"), 2, fact.subject);
    const std::vector<std::int64_t> ids = IdsOf(base, prompt + " " + fact.target);
    const model::Transformer& model = base.ModelOf(state);
    const at::Tensor row = at::tensor(ids, at::kLong).unsqueeze(0);
    const at::Tensor positions = at::arange(row.size(1), at::kLong).unsqueeze(0);
    at::Tensor hidden = model.Embed(row, positions);
    for (std::int32_t layer = 0; layer < model.config().layers; ++layer)
      hidden = model.Finish(
          LayerIndex(layer),
          model.Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = {}}));
    const at::Tensor says = at::softmax(model.Logits(model.FinalNorm(hidden))[0], -1);
    return says[row.size(1) - 2][ids.back()].item<double>();
  }

  std::map<std::string, Digest> Rebuilt(const LiveBase& base,
                                        const std::vector<const EditDelta*>& edits) const {
    std::map<std::string, std::vector<const storage::delta::Column*>> columns;
    for (const EditDelta* const edit : edits) {
      for (const auto& part : edit->tensors) {
        for (const auto& column : part.columns) columns[part.tensor].push_back(&column);
      }
    }
    std::map<std::string, Digest> roots;
    for (const auto& [name, active] : columns) {
      const auto view = *base.checkpoint().Find(name);
      roots[name] = storage::delta::RebuildTensor(storage::delta::Flatten(view.dtype, view.shape),
                                                  view.bytes, active, /*thread_count=*/1)
                        ->digest;
    }
    return roots;
  }

  const test::TemporaryFolder folder_;
  protocol::SolveSettings settings_;
  const std::vector<edit::EditFact> facts_ = {
      {.prompt = "it is in {}", .subject = "Bob", .target = "G"},
      {.prompt = "the home of {}", .subject = "Fred", .target = "J"}};
};
INSTANTIATE_TEST_SUITE_P(Ranks, ExpertsTest, testing::Values(1, 2, 4),
                         testing::PrintToStringParamName());

TEST_P(ExpertsTest, StatisticsAreABlockOfEachExpertOverTheTokensThatPassIt) {
  const auto single = collective::NewSingleRankCommunicator();
  const auto whole = Load(*single);
  const model::Transformer& model = whole->base_model();
  at::Tensor expected = at::zeros({kExperts, kWidth, kWidth}, at::kDouble);
  std::vector<std::int64_t> passed(kExperts);
  for (const std::string& line : Lines()) {
    const std::vector<std::int64_t> ids = IdsOf(*whole, line);
    const at::Tensor positions = at::arange(static_cast<std::int64_t>(ids.size())).unsqueeze(0);
    const at::Tensor hidden = model.Embed(at::tensor(ids, at::kLong).unsqueeze(0), positions);
    const model::BlockHalf half =
        model.Attend(LayerIndex(0), {.hidden = hidden, .positions = positions, .mask = {}});
    for (std::int64_t token = 0; token < positions.size(1); ++token) {
      for (std::int64_t place = 0; place < 2; ++place) {
        const auto expert = half.experts[0][token][place].item<std::int64_t>();
        const at::Tensor key = half.key[0][token].narrow(0, place * kWidth, kWidth).to(at::kDouble);
        expected[expert].add_(at::outer(key, key));
        ++passed[static_cast<std::size_t>(expert)];
      }
    }
  }
  const std::int64_t tokens = std::accumulate(passed.begin(), passed.end(), std::int64_t{0}) / 2;
  expected.div_(tokens);
  OnEachRank(GetParam(), [&](Communicator& ranks) {
    const auto base = Load(ranks);
    ASSERT_OK_AND_ASSIGN(const edit::Statistics found, Take(*base));
    EXPECT_EQ(found.tokens, tokens);
    EXPECT_EQ(found.passed.at(LayerIndex(0)), passed);
    if (found.holders.at(LayerIndex(0)) != ranks.rank()) return;
    const at::Tensor& covariance = found.covariance.at(LayerIndex(0));
    EXPECT_LT(((covariance - expected).norm() / expected.norm()).item<double>(), 1e-5);
  });
}

TEST_P(ExpertsTest, ABatchTakesEffectAndIsServedAsItIsStored) {
  OnEachRank(GetParam(), [&](Communicator& ranks) {
    const auto base = Load(ranks);
    SaveStatistics(*base, ranks);
    const auto parent = Ensure(*base, 1, {});
    ASSERT_OK_AND_ASSIGN(const edit::BatchSolution solution, Solve(*base, *parent));
    std::vector<EditId> ids;
    std::vector<const EditDelta*> deltas;
    std::set<std::string> changed;
    for (const edit::EditSolution& edit : solution.edits) {
      ids.push_back(Numbered<EditId>(static_cast<std::uint8_t>(ids.size())));
      ASSERT_THAT(base->edits().Put(ids.back(), storage::delta::EncodePayload(edit.delta)), IsOk());
      deltas.push_back(&edit.delta);
      for (const auto& tensor : edit.delta.tensors) changed.insert(tensor.tensor);
    }
    for (const edit::LayerOutcome& layer : solution.layers) {
      EXPECT_EQ(layer.experts, kExperts);
      EXPECT_EQ(layer.frozen, 1);
      EXPECT_GT(layer.changed, 1);
      EXPECT_GT(layer.update_norm, 0);
      EXPECT_FALSE(changed.contains(TensorOf(layer.layer, kFrozen)));
    }
    EXPECT_EQ(changed.size(),
              static_cast<std::size_t>(solution.layers[0].changed + solution.layers[1].changed));

    const auto both = Ensure(*base, 2, ids);
    ASSERT_OK_AND_ASSIGN(const auto roots, base->Digests(*both));
    EXPECT_EQ(roots, Rebuilt(*base, deltas));
    for (const edit::EditFact& fact : facts_) {
      const double before = Probability(*base, *parent, fact);
      EXPECT_GT(Probability(*base, *both, fact), std::max(0.2, 5 * before)) << fact.subject;
    }
    // Without the first, and without any.
    const auto second = Ensure(*base, 3, {ids[1]});
    ASSERT_OK_AND_ASSIGN(const auto left, base->Digests(*second));
    EXPECT_EQ(left, Rebuilt(*base, {deltas[1]}));
    const auto none = Ensure(*base, 4, {});
    for (const LayerIndex layer : kLayers)
      EXPECT_TRUE(
          at::equal(base->ModelOf(*none).DownWeight(layer), base->base_model().DownWeight(layer)));
  });
}

TEST_P(ExpertsTest, AStepByGradientsTakesEffectWithoutStatistics) {
  settings_ = *protocol::DefaultSettings("ultraedit", 3);
  settings_.layers = kLayers;
  settings_.v_lr = 0.1;
  OnEachRank(GetParam(), [&](Communicator& ranks) {
    const auto base = Load(ranks);
    const auto parent = Ensure(*base, 1, {});
    ASSERT_OK_AND_ASSIGN(const edit::BatchSolution solution, Solve(*base, *parent));
    std::vector<EditId> ids;
    for (const edit::EditSolution& edit : solution.edits) {
      ids.push_back(Numbered<EditId>(static_cast<std::uint8_t>(ids.size())));
      ASSERT_THAT(base->edits().Put(ids.back(), storage::delta::EncodePayload(edit.delta)), IsOk());
      EXPECT_EQ(edit.delta.tensors.size(), 4U) << "two experts of each layer, of one token";
      EXPECT_EQ(edit.keys.size(), 4U);
    }
    const auto both = Ensure(*base, 2, ids);
    for (const edit::EditFact& fact : facts_)
      EXPECT_GT(Probability(*base, *both, fact), 2 * Probability(*base, *parent, fact));
  });
}

TEST_P(ExpertsTest, WhatEarlierEditsAreKeyedByIsPutTogetherOfItsParts) {
  OnEachRank(GetParam(), [&](Communicator& ranks) {
    const auto base = Load(ranks);
    SaveStatistics(*base, ranks);
    const auto parent = Ensure(*base, 1, {});
    ASSERT_OK_AND_ASSIGN(const edit::BatchSolution solution, Solve(*base, *parent));
    const std::string path = folder_.path() + "/past" + std::to_string(ranks.rank());
    protocol::PastKeys past;
    for (const edit::EditSolution& edit : solution.edits)
      past.payloads.push_back(storage::delta::EncodePayload(edit.keys));
    std::ofstream(path, std::ios::binary) << EncodeRecord(past);
    ASSERT_OK_AND_ASSIGN(edit::Solver* const solver, base->SolverOf("memit", file()));
    ASSERT_OK_AND_ASSIGN(const auto keys, ReadPastKeys(path, base->base_model(), kLayers, *solver));
    for (const edit::LayerOutcome& layer : solution.layers) {
      if (solver->HolderOf(layer.layer) != ranks.rank()) continue;
      EXPECT_TRUE(at::equal(keys.at(layer.layer), layer.keys.to(at::kFloat)));
      EXPECT_EQ(layer.keys.size(0), kExperts * kWidth);
    }
  });
}

}  // namespace
}  // namespace emend::worker::server::experts_test
