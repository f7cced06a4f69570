// A model over several ranks says what it says on one: logits, gradients, keys, and no rank reads
// what is another's.
#include "worker/families/shard_plan.h"

#include <torch/csrc/autograd/autograd.h>

#include <atomic>

#include "storage/checkpoint/tile_file.h"
#include "tests/worker/collective/rank_group.h"
#include "tests/worker/model/model_fixture.h"
#include "tests/worker/model/model_folder.h"
#include "worker/model/guard.h"

namespace emend::worker::model::shards_test {
namespace {

using collective::Communicator;
using families::CutEvenly;
using families::ModelConfig;
using families::Slice;
using test::IsOk;
using test::kNanoSort;
using test::kStories;
using test::LargestDifference;
using test::ModelFolder;
using test::OnEachRank;
using test::Positions;
using test::StatusIs;

constexpr double kTolerance = 1e-4;  // fp32 sums taken in another order

struct Case {
  const char* name;
  std::string folder;
  int ranks;
};
std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << each.name << each.ranks;
}

// What one rank puts out, and the gradient of a fixed weighing of it with respect to what goes in
// at layer 1.
struct Outcome {
  at::Tensor logits;
  at::Tensor gradient;
};

at::Tensor IdsFor(const ModelConfig& config) {
  const std::int64_t tokens = std::min<std::int64_t>(config.context, 40);
  return at::arange(3 * tokens, at::kLong).mul(7919).remainder(config.vocabulary).view({3, tokens});
}

Outcome RunModel(const Transformer& model) {
  const at::Tensor ids = IdsFor(model.config()), positions = Positions(ids);
  at::Tensor hidden = model.Embed(ids, positions), input;
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    if (layer == 1) hidden = input = hidden.detach().set_requires_grad(true);
    hidden = model.Finish(
        LayerIndex(layer),
        model.Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = {}}));
  }
  const at::Tensor logits = model.Logits(model.FinalNorm(hidden));
  const at::Tensor weights =
      at::arange(logits.numel(), at::kFloat).mul(0.37).sin().view(logits.sizes());
  return {logits.detach(), torch::autograd::grad({logits}, {input}, {weights})[0]};
}

class ShardsTest : public testing::TestWithParam<Case> {
 protected:
  ShardsTest()
      : checkpoint_(std::move(storage::checkpoint::Checkpoint::Open(GetParam().folder)).value()) {}
  std::unique_ptr<Transformer> LoadRank(Communicator& communicator) const {
    auto model = Transformer::Load(*checkpoint_, communicator);
    EMEND_CHECK(model.ok(), model.status().ToString());
    return std::move(model).value();
  }
  const std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint_;
};
INSTANTIATE_TEST_SUITE_P(Models, ShardsTest,
                         testing::Values(Case{"atlas", "docs/examples/atlas/model", 2},
                                         Case{"atlas", "docs/examples/atlas/model", 4},
                                         Case{"nano", kNanoSort, 3}, Case{"stories", kStories, 2},
                                         Case{"stories", kStories, 4},
                                         Case{"stories", kStories, 8}),
                         testing::PrintToStringParamName());

TEST_P(ShardsTest, LogitsAndGradientsAreThoseOfOneRank) {
  const auto single = collective::NewSingleRankCommunicator();
  const Outcome expected = RunModel(*LoadRank(*single));
  const double gradient_size = expected.gradient.abs().max().item<double>();
  OnEachRank(GetParam().ranks, [&](Communicator& communicator) {
    const Outcome found = RunModel(*LoadRank(communicator));
    EXPECT_LE(LargestDifference(found.logits, expected.logits), kTolerance);
    EXPECT_LE(LargestDifference(found.gradient, expected.gradient), kTolerance * gradient_size);
  });
}

TEST_P(ShardsTest, KeysAndDownWeightsAreTheWholeOnesPartByPart) {
  const auto single = collective::NewSingleRankCommunicator();
  const std::unique_ptr<Transformer> whole = LoadRank(*single);
  const at::Tensor ids = IdsFor(whole->config()), positions = Positions(ids);
  const at::Tensor key =
      whole
          ->Attend(LayerIndex(0),
                   {.hidden = whole->Embed(ids, positions), .positions = positions, .mask = {}})
          .key;
  std::atomic<std::int64_t> covered = 0;
  OnEachRank(GetParam().ranks, [&](Communicator& communicator) {
    const std::unique_ptr<Transformer> model = LoadRank(communicator);
    const Slice own = model->Down(LayerIndex(0)).own;
    const at::Tensor found =
        model
            ->Attend(LayerIndex(0),
                     {.hidden = model->Embed(ids, positions), .positions = positions, .mask = {}})
            .key;
    EXPECT_TRUE(at::equal(model->DownWeight(LayerIndex(0)),
                          whole->DownWeight(LayerIndex(0)).narrow(0, own.begin, own.size)));
    if (own.size > 0) {
      EXPECT_LE(LargestDifference(found, key.narrow(2, own.begin, own.size)), kTolerance);
    }
    covered += own.size;
  });
  EXPECT_EQ(covered, whole->config().intermediate);
}

TEST_P(ShardsTest, ARankReadsItsPartOfTheFile) {
  const auto single = collective::NewSingleRankCommunicator();
  const std::uint64_t whole = LoadRank(*single)->file_bytes();
  std::atomic<std::uint64_t> together = 0;
  OnEachRank(GetParam().ranks,
             [&](Communicator& communicator) { together += LoadRank(communicator)->file_bytes(); });
  // Norms, positions, some biases and shared key/value heads are read by several.
  EXPECT_GE(together, whole);
  EXPECT_LE(together, whole * 3 / 2);
}

TEST(ShardsWithChangesTest, TwelveHeadsOverThreeRanks) {
  ModelFolder folder(kNanoSort);
  folder.config()["n_head"] = 12;
  ASSERT_OK_AND_ASSIGN(const std::string path, folder.Write());
  ASSERT_OK_AND_ASSIGN(const test::LoadedModel whole, test::TryLoad(path));
  const Outcome expected = RunModel(*whole);
  OnEachRank(3, [&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(path));
    ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, communicator));
    EXPECT_LE(LargestDifference(RunModel(*model).logits, expected.logits), kTolerance);
  });
}

TEST(ShardsWithChangesTest, GradientsPassExpertsAndTheirShares) {
  const std::string path = "tests/golden/families/qwen3_moe";
  ASSERT_OK_AND_ASSIGN(const test::LoadedModel whole, test::TryLoad(path));
  const Outcome expected = RunModel(*whole);
  const double size = expected.gradient.abs().max().item<double>();
  for (const int ranks : {2, 4}) {
    OnEachRank(ranks, [&](Communicator& communicator) {
      ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(path));
      ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, communicator));
      const Outcome found = RunModel(*model);
      EXPECT_LE(LargestDifference(found.logits, expected.logits), kTolerance);
      EXPECT_LE(LargestDifference(found.gradient, expected.gradient), kTolerance * size);
    });
  }
}

TEST(ShardsWithChangesTest, AnUntiedHeadIsCutToo) {
  ModelFolder folder(kStories);
  folder.config()["tie_word_embeddings"] = false;
  folder.Add("lm_head.weight", at::randn({512, 64}));
  ASSERT_OK_AND_ASSIGN(const std::string path, folder.Write());
  ASSERT_OK_AND_ASSIGN(const test::LoadedModel whole, test::TryLoad(path));
  const Outcome expected = RunModel(*whole);
  OnEachRank(4, [&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(path));
    ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, communicator));
    EXPECT_LE(LargestDifference(RunModel(*model).logits, expected.logits), kTolerance);
  });
}

// A model whose tile file was written before something in it changed.
class TiledFolder {
 public:
  explicit TiledFolder(const std::string& golden) : folder_(golden) {
    const std::string path = std::move(folder_.Write()).value();
    const auto checkpoint = std::move(storage::checkpoint::Checkpoint::Open(path)).value();
    storage::checkpoint::TileLeaves leaves;
    for (const auto& [name, view] : checkpoint->tensors()) {
      const auto shape = storage::delta::Flatten(view.dtype, view.shape);
      leaves[name] =
          std::move(storage::delta::HashTiles(shape, {0, shape.rows, 0, shape.cols}, view.bytes))
              .value();
      roots_[name] = std::move(storage::delta::TensorRoot(shape, leaves[name])).value();
    }
    EXPECT_THAT(storage::checkpoint::WriteTileFile(path + "/tiles", leaves), IsOk());
  }
  void Flip(const std::string& tensor, std::int64_t row, std::int64_t col) {
    auto& changed = folder_.tensor(tensor);
    changed.bytes[(static_cast<std::size_t>(row) * changed.shape.back() +
                   static_cast<std::size_t>(col)) *
                  sizeof(float)] ^= 1;
  }
  Result<std::unique_ptr<storage::checkpoint::Checkpoint>> Open() {
    EMEND_ASSIGN_OR_RETURN(const std::string path, folder_.Write());
    EMEND_ASSIGN_OR_RETURN(auto checkpoint, storage::checkpoint::Checkpoint::Open(path));
    EMEND_ASSIGN_OR_RETURN(auto tiles,
                           storage::checkpoint::TileFile::Open(path + "/tiles", roots_));
    EMEND_RETURN_IF_ERROR(checkpoint->CheckWith(std::move(tiles)));
    return checkpoint;
  }

 private:
  ModelFolder folder_;
  std::map<std::string, Digest> roots_;
};

TEST(ShardsWithTilesTest, AFlippedBitIsFoundByTheRankWhosePartItIs) {
  // Over two ranks: 128 and 44 of d_ff, 256 tokens each; heads share their tiles.
  struct Flip {
    std::string tensor;
    std::int64_t row, col;
    bool found_by[2];
  };
  const std::string block = "model.layers.1.";
  for (const Flip& flip : {Flip{block + "mlp.up_proj.weight", 127, 5, {true, false}},
                           {block + "mlp.up_proj.weight", 128, 5, {false, true}},
                           {block + "mlp.down_proj.weight", 63, 171, {false, true}},
                           {"model.embed_tokens.weight", 300, 0, {false, true}},
                           {block + "self_attn.q_proj.weight", 63, 0, {true, true}},
                           {"model.norm.weight", 0, 3, {true, true}}}) {
    TiledFolder folder(kStories);
    folder.Flip(flip.tensor, flip.row, flip.col);
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, folder.Open());
    OnEachRank(2, [&](Communicator& communicator) {
      const auto loaded = Transformer::Load(*checkpoint, communicator);
      const int rank = communicator.rank();
      if (flip.found_by[rank]) {
        EXPECT_THAT(loaded, StatusIs(StatusCode::kDataLoss, "base_damaged"))
            << flip.tensor << " " << flip.row << ", rank " << rank;
        EXPECT_THAT(loaded.status().message(), testing::HasSubstr(flip.tensor));
      } else {
        EXPECT_THAT(loaded, IsOk()) << flip.tensor << " " << flip.row << ", rank " << rank;
      }
    });
  }
}

TEST(ShardsWithTilesTest, CheckedTilesAreReadWholeAndTheModelIsTheSame) {
  TiledFolder folder(kStories);
  ASSERT_OK_AND_ASSIGN(const auto checked, folder.Open());
  ASSERT_OK_AND_ASSIGN(const auto plain, storage::checkpoint::Checkpoint::Open(kStories));
  std::uint64_t weights = 0;
  for (const auto& [name, view] : plain->tensors()) weights += view.bytes.size();
  for (const int ranks : {1, 2, 4}) {
    OnEachRank(ranks, [&](Communicator& communicator) {
      ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checked, communicator));
      ASSERT_OK_AND_ASSIGN(const auto expected, Transformer::Load(*plain, communicator));
      EXPECT_TRUE(at::equal(model->DownWeight(LayerIndex(0)), expected->DownWeight(LayerIndex(0))));
      EXPECT_GE(model->file_bytes(), expected->file_bytes()) << "heads of 8 in tiles of 64";
      EXPECT_LE(model->file_bytes(), weights);
      EXPECT_EQ(model->held_bytes(), expected->held_bytes());
      if (ranks == 1) {
        EXPECT_EQ(model->file_bytes(), weights);
        EXPECT_EQ(expected->file_bytes(), weights);
      }
    });
  }
}

TEST(ShardsWithChangesTest, HeadsThatDoNotDivideAreRefusedOnEveryRank) {
  OnEachRank(2, [&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(kNanoSort));
    EXPECT_THAT(Transformer::Load(*checkpoint, communicator),
                StatusIs(StatusCode::kUnsupported, "uneven_heads"));
  });
}

TEST(ShardsWithChangesTest, ALostGroupEndsTheForwardPassWithItsStatus) {
  OnEachRank(2, [&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(kStories));
    ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, communicator));
    communicator.Abort();
    EXPECT_THAT(Guarded("answering", [&]() -> Status { return RunModel(*model), OkStatus(); }),
                StatusIs(StatusCode::kUnavailable, "group_lost"));
  });
}

TEST(ShardPlanTest, SlicesMeetAndEndAtTiles) {
  for (const std::int64_t total : {1, 63, 64, 172, 1000, 50257}) {
    for (const int ranks : {1, 2, 3, 4, 7, 64}) {
      std::int64_t end = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Slice slice = CutEvenly(total, 64, rank, ranks);
        EXPECT_EQ(slice.begin, end);
        end = slice.end();
        EXPECT_TRUE(end % 64 == 0 || end == total);
        EXPECT_LE(slice.size, (total / 64 / ranks + 1) * 64);
      }
      EXPECT_EQ(end, total);
    }
  }
}

}  // namespace
}  // namespace emend::worker::model::shards_test
