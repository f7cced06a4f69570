#include "worker/edit/statistics.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "storage/base/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/edit/atlas.h"

namespace emend::worker::edit::statistics_test {
namespace {

using test::IsOk;
using test::StatusIs;

const std::vector<LayerIndex> kLayers = {LayerIndex(0), LayerIndex(2)};

class StatisticsTest : public ::testing::Test {
 protected:
  Result<Statistics> Take(const StatisticsOptions& options) {
    return ComputeStatistics(*atlas_.model, *atlas_.tokenizer, lines_, options);
  }

  // One line at a time, in fp64.
  at::Tensor PlainSum(LayerIndex layer, std::int64_t& tokens) {
    std::vector<at::Tensor> all;
    for (const std::string& line : lines_) {
      std::vector<std::int64_t> ids;
      for (const tokenizer::Token& token : ValueOf(atlas_.tokenizer->Encode(line)))
        ids.push_back(token.id);
      ids.resize(std::min<std::size_t>(ids.size(), 256));
      tokens += static_cast<std::int64_t>(ids.size());
      const at::Tensor positions =
          at::arange(static_cast<std::int64_t>(ids.size()), at::kLong).unsqueeze(0);
      at::Tensor hidden = atlas_.model->Embed(at::tensor(ids, at::kLong).unsqueeze(0), positions);
      for (std::int32_t below = 0; below < layer.value(); ++below) {
        hidden = atlas_.model->Finish(
            LayerIndex(below),
            atlas_.model->Attend(LayerIndex(below),
                                 {.hidden = hidden, .positions = positions, .mask = {}}));
      }
      all.push_back(
          atlas_.model->Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}})
              .key[0]
              .to(at::kDouble));
    }
    const at::Tensor keys = at::cat(all);
    return keys.t().matmul(keys);
  }

  const Atlas atlas_;
  std::vector<std::string> lines_ =
      SelectCorpusLines(ReadText("docs/examples/atlas/corpus.txt"), 40);
};

TEST_F(StatisticsTest, OneBatchedPassGivesWhatLinesAloneGive) {
  ASSERT_OK_AND_ASSIGN(const Statistics statistics,
                       Take({.layers = kLayers, .tokens_max = 0, .progress = {}}));
  for (const LayerIndex layer : kLayers) {
    std::int64_t tokens = 0;
    const at::Tensor expected = PlainSum(layer, tokens) / static_cast<double>(statistics.tokens);
    EXPECT_EQ(statistics.tokens, tokens);
    EXPECT_LT(RelativeError(statistics.covariance.at(layer), expected), 1e-5)
        << "layer " << layer.value();
  }
}

TEST_F(StatisticsTest, TheSameBitsComeOutOfEveryThreadCount) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  ASSERT_OK_AND_ASSIGN(const Statistics one,
                       Take({.layers = kLayers, .tokens_max = 0, .progress = {}}));
  ASSERT_OK_AND_ASSIGN(const Statistics again,
                       Take({.layers = kLayers, .tokens_max = 0, .progress = {}}));
  at::set_num_threads(3);
  ASSERT_OK_AND_ASSIGN(const Statistics three,
                       Take({.layers = kLayers, .tokens_max = 0, .progress = {}}));
  at::set_num_threads(before);
  for (const LayerIndex layer : kLayers) {
    EXPECT_TRUE(at::equal(one.covariance.at(layer), again.covariance.at(layer)));
    EXPECT_LT(RelativeError(three.covariance.at(layer), one.covariance.at(layer)), 1e-6);
  }
}

TEST_F(StatisticsTest, ExactlyTheTokensAskedForAreUsed) {
  ASSERT_OK_AND_ASSIGN(const Statistics statistics,
                       Take({.layers = {LayerIndex(0)}, .tokens_max = 333, .progress = {}}));
  EXPECT_EQ(statistics.tokens, 333);
}

TEST_F(StatisticsTest, NoLinesNoLayersAndLayersOutsideTheModelAreRefused) {
  EXPECT_THAT(Take({.layers = {}, .tokens_max = 0, .progress = {}}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Take({.layers = {LayerIndex(6)}, .tokens_max = 0, .progress = {}}),
              StatusIs(StatusCode::kInvalidArgument));
  lines_.clear();
  EXPECT_THAT(Take({.layers = kLayers, .tokens_max = 0, .progress = {}}),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(StatisticsTest, ProgressCanCancel) {
  const auto cancel = [](const ProgressReport& report) {
    return report.done > 0 ? Status(StatusCode::kCancelled, "enough") : OkStatus();
  };
  EXPECT_THAT(Take({.layers = kLayers, .tokens_max = 0, .progress = cancel}),
              StatusIs(StatusCode::kCancelled));
}

class StatisticsFileTest : public ::testing::Test {
 protected:
  StatisticsFileTest() {
    at::manual_seed(1);
    statistics_.tokens = 77;
    statistics_.covariance[LayerIndex(4)] = at::randn({9, 9}, at::kDouble);
    statistics_.covariance[LayerIndex(11)] = at::randn({9, 9}, at::kDouble);
    statistics_.covariance[LayerIndex(7)] = at::randn({3, 5, 5}, at::kDouble);  // experts
    statistics_.passed[LayerIndex(7)] = {70, 0, 8};
    EXPECT_THAT(SaveStatistics(statistics_, "atlas", path_, *communicator_), IsOk());
  }

  const std::unique_ptr<collective::Communicator> communicator_ =
      collective::NewSingleRankCommunicator();
  test::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/statistics.safetensors";
  Statistics statistics_;
};

TEST_F(StatisticsFileTest, WhatWasSavedIsLoaded) {
  for (const char* key : {"atlas", ""}) {
    ASSERT_OK_AND_ASSIGN(const Statistics loaded, LoadStatistics(path_, key, *communicator_));
    EXPECT_EQ(loaded.tokens, 77);
    EXPECT_EQ(loaded.passed, statistics_.passed);
    ASSERT_EQ(loaded.covariance.size(), 3U);
    for (const auto& [layer, matrix] : statistics_.covariance)
      EXPECT_TRUE(at::equal(loaded.covariance.at(layer), matrix));
  }
}

TEST_F(StatisticsFileTest, AnotherKeyAndAMissingFileAreRefused) {
  EXPECT_THAT(LoadStatistics(path_, "other", *communicator_),
              StatusIs(StatusCode::kFailedPrecondition, "other_statistics"));
  EXPECT_THAT(LoadStatistics(path_ + "x", "atlas", *communicator_),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(StatisticsFileTest, EveryFlippedByteOfTheBodyAndEveryCutIsDataLoss) {
  PosixFileSystem files;
  ASSERT_OK_AND_ASSIGN(const std::string bytes, files.Read(path_));
  const std::size_t body = 8 + static_cast<std::uint8_t>(bytes[0]) +
                           (std::size_t{static_cast<std::uint8_t>(bytes[1])} << 8);
  for (std::size_t at = body; at < bytes.size(); at += 5) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    ASSERT_THAT(files.WriteAtomically(path_, flipped, 0600), IsOk());
    EXPECT_THAT(LoadStatistics(path_, "atlas", *communicator_),
                StatusIs(StatusCode::kDataLoss, "bad_statistics"))
        << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, body, bytes.size() - 1}) {
    ASSERT_THAT(files.WriteAtomically(path_, bytes.substr(0, size), 0600), IsOk());
    EXPECT_THAT(LoadStatistics(path_, "atlas", *communicator_),
                StatusIs(StatusCode::kDataLoss, "bad_statistics"))
        << size;
  }
}

}  // namespace
}  // namespace emend::worker::edit::statistics_test
