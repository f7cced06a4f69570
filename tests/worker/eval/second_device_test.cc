// Answers and scores from a device that is not the CPU and does not mix with it are those of the
// CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/generate.h"
#include "tests/worker/model/second_device.h"
#include "worker/eval/sample.h"
#include "worker/eval/score.h"

namespace emend::worker::eval::second_device_test {
namespace {

class SecondDeviceTest : public ::testing::Test {
 protected:
  SecondDeviceTest() {
    auto loaded = model::Transformer::Load(*checkpoint_, *single_, test::SecondDevice());
    EMEND_CHECK(loaded.ok(), loaded.status().ToString());
    there_ = std::move(*loaded);
    auto here = model::Transformer::Load(*checkpoint_, *single_);
    EMEND_CHECK(here.ok(), here.status().ToString());
    here_ = std::move(*here);
  }

  std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint_ =
      std::move(storage::checkpoint::Checkpoint::Open("docs/examples/atlas/model")).value();
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ =
      std::move(tokenizer::Tokenizer::Open("docs/examples/atlas/model/tokenizer.json")).value();
  std::unique_ptr<collective::Communicator> single_ = collective::NewSingleRankCommunicator();
  std::unique_ptr<model::Transformer> here_;
  std::unique_ptr<model::Transformer> there_;
};

TEST_F(SecondDeviceTest, AnswersAreTheSame) {
  const GenerateOptions options{.max_tokens = 12, .top = 3, .progress = {}};
  ASSERT_OK_AND_ASSIGN(const Generation expected,
                       Generate(*here_, *tokenizer_, "Gianluigi Lentini plays as", options));
  ASSERT_OK_AND_ASSIGN(const Generation found,
                       Generate(*there_, *tokenizer_, "Gianluigi Lentini plays as", options));
  EXPECT_EQ(found.tokens, expected.tokens);
  ASSERT_EQ(found.top.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(found.top[i].probability, expected.top[i].probability, 1e-4);
}

TEST_F(SecondDeviceTest, ScoresAreTheSame) {
  const std::vector<ScoreRequest> requests = {{{5, 6, 7}, {{8, 9}, {10}}},
                                              {{11, 12, 13, 14, 15}, {{16}}}};
  ASSERT_OK_AND_ASSIGN(const auto expected, ScoreTargets(*here_, requests, {}));
  ASSERT_OK_AND_ASSIGN(const auto found, ScoreTargets(*there_, requests, {}));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (std::size_t j = 0; j < requests[i].targets.size(); ++j) {
      EXPECT_NEAR(found[i][j].nll, expected[i][j].nll, 1e-3);
      EXPECT_EQ(found[i][j].argmax, expected[i][j].argmax);
    }
  }
}

TEST_F(SecondDeviceTest, SampledTextsAreTheSame) {
  SampleOptions options;
  options.count = 3;
  options.max_tokens = 8;
  options.top_k = 5;
  options.seed = 4;
  ASSERT_OK_AND_ASSIGN(const SampledTexts expected,
                       SampleTexts(*here_, *tokenizer_, "The", options));
  ASSERT_OK_AND_ASSIGN(const SampledTexts found, SampleTexts(*there_, *tokenizer_, "The", options));
  EXPECT_EQ(found.texts, expected.texts);
}

}  // namespace
}  // namespace emend::worker::eval::second_device_test
