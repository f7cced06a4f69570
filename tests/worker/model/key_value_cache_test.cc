// Texts in a cache, of different lengths and run in pieces beside each other, have the logits of
// the whole pass.
#include "worker/model/key_value_cache.h"

#include <c10/core/GradMode.h>

#include <random>

#include "tests/worker/collective/rank_group.h"
#include "tests/worker/model/model_fixture.h"

namespace emend::test::key_value_cache_test {
namespace {

using worker::collective::Communicator;
using worker::model::CachedBatch;
using worker::model::CacheRun;
using worker::model::KeyValueCache;
using worker::model::Transformer;

constexpr double kTolerance = 2e-5;

// A text [tokens] int64, and how much of it was run.
struct Text {
  at::Tensor ids;
  std::int64_t slot = 0;
  std::int64_t done = 0;
  std::int64_t left() const { return ids.size(0) - done; }
};

// Logits [tokens of all runs, vocabulary].
at::Tensor RunCached(const Transformer& model, const KeyValueCache& cache,
                     const std::vector<CacheRun>& runs, const at::Tensor& ids) {
  const CachedBatch batch(cache, runs);
  at::Tensor hidden = model.Embed(ids.unsqueeze(0), batch.positions());
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    const LayerIndex index(layer);
    hidden = model.Finish(index, model.Attend(index, {.hidden = hidden,
                                                      .positions = batch.positions(),
                                                      .mask = {},
                                                      .cached = &batch}));
  }
  return model.Logits(model.FinalNorm(hidden))[0];
}

// Runs the next tokens of these texts, in order of their slots, and compares what comes out with
// the whole pass over each.
void RunAndCompare(const Transformer& model, const KeyValueCache& cache,
                   const std::vector<std::pair<Text*, std::int64_t>>& moves) {
  std::vector<CacheRun> runs;
  std::vector<at::Tensor> ids;
  for (const auto& [text, count] : moves) {
    runs.push_back({.slot = text->slot, .begin = text->done, .tokens = count});
    ids.push_back(text->ids.narrow(0, text->done, count));
  }
  const at::Tensor found = RunCached(model, cache, runs, at::cat(ids));
  std::int64_t begin = 0;
  for (const auto& [text, count] : moves) {
    const at::Tensor whole =
        Forward(model, text->ids.narrow(0, 0, text->done + count).unsqueeze(0))[0];
    EXPECT_LT(LargestDifference(found.narrow(0, begin, count), whole.narrow(0, text->done, count)),
              kTolerance)
        << "slot " << text->slot << " at " << text->done;
    text->done += count;
    begin += count;
  }
}

class KeyValueCacheTest : public testing::TestWithParam<std::string> {
 protected:
  KeyValueCacheTest() { at::manual_seed(3); }
  at::Tensor RandomIds(std::int64_t tokens) const {
    return at::randint((*model_).config().vocabulary, {tokens}, at::kLong);
  }

  const c10::AutoGradMode no_grad_{false};
  const LoadedModel model_ = Load(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Families, KeyValueCacheTest, testing::Values(kNanoSort, kStories),
                         [](const auto& each) { return each.index == 0 ? "gpt2" : "llama"; });

// Texts begin in any free slot, go on by one token or by many, and leave; the next one finds what
// the last one left. The cache grows meanwhile.
TEST_P(KeyValueCacheTest, TextsThatComeAndGoHaveTheLogitsOfTheWholePass) {
  const std::int64_t context = std::min<std::int64_t>((*model_).config().context, 48);
  std::mt19937 random(5);
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
  };
  KeyValueCache cache(*model_);
  cache.Resize({.slots = 5, .capacity = context});
  std::vector<Text> texts;
  for (int step = 0; step < 60; ++step) {
    if (step == 30) cache.Resize({.slots = 8, .capacity = context + 7});
    for (std::int64_t slot = 0; slot < cache.size().slots; ++slot) {
      const bool is_free =
          std::ranges::none_of(texts, [&](const Text& text) { return text.slot == slot; });
      if (is_free && below(2) == 0)
        texts.push_back({.ids = RandomIds(1 + below(context)), .slot = slot});
    }
    std::ranges::sort(texts, {}, &Text::slot);
    std::vector<std::pair<Text*, std::int64_t>> moves;
    for (Text& text : texts) {
      if (below(5) > 0) moves.emplace_back(&text, below(3) == 0 ? 1 + below(text.left()) : 1);
    }
    if (!moves.empty()) RunAndCompare(*model_, cache, moves);
    std::erase_if(texts, [](const Text& text) { return text.left() == 0; });
  }
}

TEST_P(KeyValueCacheTest, ACacheThatGrowsKeepsWhatItHolds) {
  KeyValueCache cache(*model_);
  cache.Resize({.slots = 2, .capacity = 6});
  Text text{.ids = RandomIds(11), .slot = 1};
  RunAndCompare(*model_, cache, {{&text, 6}});
  cache.Resize({.slots = 3, .capacity = 11});
  RunAndCompare(*model_, cache, {{&text, 1}});
  cache.Resize({.slots = 2, .capacity = 11});
  RunAndCompare(*model_, cache, {{&text, 4}});
  EXPECT_EQ(cache.size(), (KeyValueCache::Size{.slots = 2, .capacity = 11}));
}

TEST_P(KeyValueCacheTest, RepeatedTextsGoOnByThemselves) {
  KeyValueCache cache(*model_);
  cache.Resize({.slots = 3, .capacity = 9});
  Text first{.ids = RandomIds(9)};
  RunAndCompare(*model_, cache, {{&first, 5}});
  cache.RepeatFirst();
  Text second{.ids = at::cat({first.ids.narrow(0, 0, 5), RandomIds(4)}), .slot = 1, .done = 5};
  Text third{.ids = at::cat({first.ids.narrow(0, 0, 5), RandomIds(4)}), .slot = 2, .done = 5};
  for (int i = 0; i < 4; ++i)
    RunAndCompare(*model_, cache, {{&first, 1}, {&second, 1}, {&third, 1}});
}

TEST_P(KeyValueCacheTest, ATokenTakesWhatTheTensorsHoldForIt) {
  KeyValueCache cache(*model_);
  const KeyValueCache::Size size{.slots = 3, .capacity = 10};
  cache.Resize(size);
  std::int64_t bytes = 0;
  for (std::int32_t layer = 0; layer < (*model_).config().layers; ++layer) {
    bytes += static_cast<std::int64_t>(cache.At(LayerIndex(layer)).keys.nbytes() +
                                       cache.At(LayerIndex(layer)).values.nbytes());
  }
  EXPECT_EQ(KeyValueCache::Bytes(size, KeyValueCache::TokenBytes(*model_)), bytes);
}

TEST(KeyValueCacheRanksTest, RanksHoldTheirHeadsAndComputeTheSame) {
  const LoadedModel whole = Load(kStories);
  const at::Tensor first = at::arange(1, 21, at::kLong), second = at::arange(30, 37, at::kLong);
  const at::Tensor expected =
      at::cat({Forward(*whole, first.unsqueeze(0))[0], Forward(*whole, second.unsqueeze(0))[0]});
  OnEachRank(2, [&](Communicator& ranks) {
    const c10::AutoGradMode no_grad(false);
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(kStories));
    ASSERT_OK_AND_ASSIGN(const auto model, Transformer::Load(*checkpoint, ranks));
    KeyValueCache cache(*model);
    cache.Resize({.slots = 3, .capacity = 20});
    EXPECT_EQ(cache.At(LayerIndex(0)).keys.size(1), 2);
    const at::Tensor found =
        RunCached(*model, cache,
                  {{.slot = 0, .begin = 0, .tokens = 20}, {.slot = 2, .begin = 0, .tokens = 7}},
                  at::cat({first, second}));
    EXPECT_LT(LargestDifference(found, expected), 1e-4);
  });
}

}  // namespace
}  // namespace emend::test::key_value_cache_test
