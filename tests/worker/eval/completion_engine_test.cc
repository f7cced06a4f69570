#include "worker/eval/completion_engine.h"

#include <gtest/gtest.h>

#include <limits>
#include <new>
#include <random>

#include "storage/base/utf8.h"
#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/completion_fixture.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"
#include "worker/model/key_value_cache.h"

namespace emend::test::completion_engine_test {
namespace {

using namespace worker::eval;
using worker::model::KeyValueCache;
using worker::tokenizer::TokenId;

const std::string kAtlasModel = kAtlas + "/model";

struct Setting {
  const char* name;
  std::string folder;
  std::string tokenizer;
};
std::ostream& operator<<(std::ostream& out, const Setting& each) { return out << each.name; }

// Has no memory left for the end of any block.
class FailingModel final : public worker::model::Transformer {
 public:
  explicit FailingModel(const Transformer& model) : model_(model) {}
  const worker::families::ModelConfig& config() const override { return model_.config(); }
  const worker::families::ShardPlan& shard() const override { return model_.shard(); }
  worker::collective::Communicator& communicator() const override { return model_.communicator(); }
  std::uint64_t file_bytes() const override { return model_.file_bytes(); }
  std::uint64_t held_bytes() const override { return model_.held_bytes(); }
  const worker::model::DownProjection& Down(LayerIndex layer) const override {
    return model_.Down(layer);
  }
  at::Tensor DownWeight(LayerIndex layer) const override {
    return model_.DownWeight(layer).clone();
  }
  at::Tensor Embed(const at::Tensor& ids, const at::Tensor& positions) const override {
    return model_.Embed(ids, positions);
  }
  worker::model::BlockHalf Attend(LayerIndex layer,
                                  const worker::model::BlockInput& input) const override {
    return model_.Attend(layer, input);
  }
  at::Tensor DownOutput(LayerIndex, const worker::model::BlockHalf&) const override {
    throw std::bad_alloc();
  }
  at::Tensor FinishWith(LayerIndex layer, const at::Tensor& residual,
                        const at::Tensor& output) const override {
    return model_.FinishWith(layer, residual, output);
  }
  bool NormsOutput(LayerIndex layer) const override { return model_.NormsOutput(layer); }
  at::Tensor OutputChange(LayerIndex layer, const at::Tensor& output,
                          const at::Tensor& change) const override {
    return model_.OutputChange(layer, output, change);
  }
  at::Tensor GatherKeys(LayerIndex layer, const at::Tensor& keys) const override {
    return model_.GatherKeys(layer, keys);
  }
  at::Tensor FinalNorm(const at::Tensor& hidden) const override { return model_.FinalNorm(hidden); }
  at::Tensor Logits(const at::Tensor& normed) const override { return model_.Logits(normed); }
  std::unique_ptr<Transformer> WithDownWeights(
      const std::map<LayerIndex, at::Tensor>& weights) const override {
    return model_.WithDownWeights(weights);
  }
  std::unique_ptr<Transformer> WithBf16Above(LayerIndex layer) const override {
    return model_.WithBf16Above(layer);
  }

 private:
  const Transformer& model_;
};

class CompletionEngineTest : public testing::TestWithParam<Setting> {
 protected:
  static constexpr int kStates = 3;

  std::unique_ptr<CompletionEngine> NewEngine(const CompletionEngineOptions& options = {}) {
    return std::make_unique<CompletionEngine>(*model_, *tokenizer_, states_.Finder(), options);
  }
  std::vector<TokenId> RandomPrompt(std::int64_t tokens) {
    std::vector<TokenId> prompt;
    for (std::int64_t i = 0; i < tokens; ++i)
      prompt.push_back(static_cast<TokenId>(3 + Below((*model_).config().vocabulary - 3)));
    return prompt;
  }
  std::int64_t Below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }
  // Greedy, with its tokens named.
  CompletionRequest Greedy(int state, std::vector<TokenId> prompt, std::int64_t tokens_max) const {
    return {.state = StateOf(state),
            .prompt = std::move(prompt),
            .tokens_max = tokens_max,
            .sampling = {.temperature = 0},
            .stop = {},
            .logprobs = 0};
  }
  static std::shared_ptr<Heard> Add(CompletionEngine& engine, const CompletionRequest& request) {
    auto heard = std::make_shared<Heard>();
    EXPECT_THAT(engine.Add(request, ListenerOf(heard)), IsOk());
    return heard;
  }
  static Status Refusal(CompletionEngine& engine, const CompletionRequest& request) {
    auto heard = std::make_shared<Heard>();
    const Status status = engine.Add(request, ListenerOf(heard));
    EXPECT_FALSE(heard->end);
    return status;
  }
  // Steps until nothing is left to do; how many that took.
  static int Finish(CompletionEngine& engine) {
    for (int steps = 1; steps < 100'000; ++steps) {
      const Result<bool> goes_on = engine.Step();
      EXPECT_THAT(goes_on.status(), IsOk());
      if (!goes_on.ok() || !*goes_on) return steps;
    }
    ADD_FAILURE() << "it never ends";
    return 0;
  }
  static CompletionEnd EndOf(const Heard& heard) {
    EXPECT_TRUE(heard.end && heard.end->ok())
        << (heard.end ? heard.end->status().ToString() : "no end");
    return heard.end && heard.end->ok() ? **heard.end : CompletionEnd{};
  }
  static Status StatusOf(const Heard& heard) {
    return heard.end ? heard.end->status() : Internal("no end");
  }

  const LoadedModel model_ = Load(GetParam().folder);
  const std::unique_ptr<worker::tokenizer::Tokenizer> tokenizer_ =
      worker::tokenizer::OpenTokenizer(GetParam().tokenizer);
  LiveStates states_{*model_, kStates};
  std::mt19937_64 random_{17};
};
INSTANTIATE_TEST_SUITE_P(Families, CompletionEngineTest,
                         testing::Values(Setting{"atlas", kAtlasModel, "atlas"},
                                         Setting{"stories", kStories, "llama2"}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(CompletionEngineTest, ACompletionAloneIsGreedyGeneration) {
  const auto engine = NewEngine();
  const std::vector<TokenId> prompt = RandomPrompt(9);
  const auto heard = Add(*engine, Greedy(1, prompt, 30));
  EXPECT_EQ(engine->waiting(), 1U);
  Finish(*engine);
  ASSERT_OK_AND_ASSIGN(const Generation alone,
                       GenerateTokens(states_.Model(1), prompt, {.max_tokens = 30}));
  EXPECT_EQ(heard->ids(), alone.tokens);
  EXPECT_EQ(EndOf(*heard).prompt_tokens, 9);
  EXPECT_EQ(EndOf(*heard).completion_tokens, static_cast<std::int64_t>(alone.tokens.size()));
  EXPECT_EQ(EndOf(*heard).reason,
            alone.stop == StopReason::kEndOfText ? FinishReason::kStop : FinishReason::kLength);
  EXPECT_EQ(engine->running() + engine->waiting(), 0U);
}

// Rows of three states enter and leave at random, with prompts that are run in pieces; some are
// cancelled.
TEST_P(CompletionEngineTest, WhateverSharesTheBatchEachSaysWhatItSaysAlone) {
  const auto engine = NewEngine({.rows_max = 6, .prefill_tokens_max = 16});
  struct Asked {
    int state;
    CompletionRequest request;
    std::shared_ptr<Heard> heard;
  };
  std::vector<Asked> asked;
  bool goes_on = true;
  while (goes_on || asked.size() < 30) {
    if (asked.size() < 30 && Below(2) == 0) {
      const int state = static_cast<int>(Below(kStates));
      const CompletionRequest request =
          Greedy(state, RandomPrompt(1 + Below(Below(4) == 0 ? 60 : 8)), 1 + Below(24));
      asked.push_back({state, request, Add(*engine, request)});
    }
    if (!asked.empty() && Below(40) == 0)
      asked[static_cast<std::size_t>(Below(static_cast<std::int64_t>(asked.size())))]
          .heard->cancelled->store(true);
    ASSERT_OK_AND_ASSIGN(goes_on, engine->Step());
    EXPECT_LE(engine->running(), 6U);
  }
  int finished = 0;
  for (const Asked& each : asked) {
    ASSERT_TRUE(each.heard->end);
    ExpectGreedy(states_.Model(each.state), each.request.prompt, *each.heard);
    if (each.heard->end->ok())
      ++finished;
    else
      EXPECT_THAT(StatusOf(*each.heard), StatusIs(StatusCode::kCancelled));
  }
  EXPECT_GE(finished, 20);
  for (int state = 0; state < kStates; ++state) EXPECT_EQ(states_.Holders(state), 0);
}

TEST_P(CompletionEngineTest, StatesOfOnePromptSayWhatTheirOwnWeightsSay) {
  const auto engine = NewEngine();
  const std::vector<TokenId> prompt = RandomPrompt(6);
  std::vector<std::shared_ptr<Heard>> heard;
  for (int state = 0; state < kStates; ++state)
    heard.push_back(Add(*engine, Greedy(state, prompt, 12)));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_EQ(engine->running(), 3U);
  for (int state = 0; state < kStates; ++state) EXPECT_EQ(states_.Holders(state), 1);
  Finish(*engine);
  for (int state = 0; state < kStates; ++state)
    ExpectGreedy(states_.Model(state), prompt, *heard[static_cast<std::size_t>(state)]);
  EXPECT_NE(heard[0]->ids(), heard[1]->ids());
  EXPECT_NE(heard[1]->ids(), heard[2]->ids());
}

TEST_P(CompletionEngineTest, OneSeedGivesOneTextWhateverElseRuns) {
  CompletionRequest request = Greedy(0, RandomPrompt(5), 20);
  request.sampling = {.temperature = 0.9, .top_p = 0.95, .top_k = 50, .seed = 12};
  const auto alone_engine = NewEngine();
  const auto alone = Add(*alone_engine, request);
  Finish(*alone_engine);
  const auto engine = NewEngine();
  std::vector<std::shared_ptr<Heard>> others;
  for (std::uint64_t i = 0; i < 5; ++i) {
    CompletionRequest other = request;
    other.prompt = RandomPrompt(7);
    other.sampling.seed = i;
    others.push_back(Add(*engine, other));
  }
  const auto among = Add(*engine, request);
  request.sampling.seed = 13;
  const auto seeded = Add(*engine, request);
  Finish(*engine);
  EXPECT_EQ(among->ids(), alone->ids());
  EXPECT_EQ(among->text, alone->text);
  EXPECT_NE(seeded->ids(), alone->ids());
}

TEST_P(CompletionEngineTest, AnEchoedPromptsTokensHaveTheProbabilitiesOfOneWholePass) {
  const auto engine = NewEngine({.prefill_tokens_max = 16});
  const std::vector<TokenId> prompt = RandomPrompt(30);
  CompletionRequest request = Greedy(1, prompt, 3);
  request.echo = true;
  request.logprobs = 2;
  const auto gone_on = Add(*engine, request);
  request.tokens_max = 0;
  const auto alone = Add(*engine, request);
  request.logprobs.reset();
  const auto unnamed = Add(*engine, request);
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_TRUE(alone->tokens.empty()) << "one whose logits are told counts as four";
  Finish(*engine);
  std::vector<TokenId> all = gone_on->ids();
  ASSERT_GE(all.size(), prompt.size());
  EXPECT_EQ(std::vector(all.begin(), all.begin() + 30), prompt);
  EXPECT_EQ(EndOf(*gone_on).completion_tokens, static_cast<std::int64_t>(all.size()) - 30);
  const at::Tensor expected = LogProbabilities(states_.Model(1), all);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const at::Tensor row = expected[static_cast<std::int64_t>(i) - 1];
    const TokenLogprob& told = gone_on->tokens[i];
    EXPECT_NEAR(told.token.logprob, row[all[i]].item<double>(), 1e-3);
    ASSERT_EQ(told.top.size(), 2U);
    EXPECT_NEAR(told.top[0].logprob, row.max().item<double>(), 1e-3);
    EXPECT_FALSE(told.is_first);
  }
  EXPECT_TRUE(gone_on->tokens[0].is_first);
  EXPECT_EQ(alone->ids(), prompt);
  EXPECT_EQ(EndOf(*alone).completion_tokens, 0);
  EXPECT_EQ(EndOf(*alone).reason, FinishReason::kLength);
  EXPECT_EQ(alone->text, unnamed->text);
  EXPECT_TRUE(unnamed->tokens.empty());
  EXPECT_EQ(gone_on->text.substr(0, alone->text.size()), alone->text);
}

TEST_P(CompletionEngineTest, ALongPromptDoesNotHoldUpTheOthers) {
  const auto engine = NewEngine({.prefill_tokens_max = 8});
  const auto first = Add(*engine, Greedy(0, RandomPrompt(4), 40));
  ASSERT_THAT(engine->Step().status(), IsOk());
  const std::vector<TokenId> prompt = RandomPrompt(100);
  const auto second = Add(*engine, Greedy(0, prompt, 3));
  for (int step = 1; step <= 12; ++step) {
    ASSERT_THAT(engine->Step().status(), IsOk());
    EXPECT_EQ(first->tokens.size(), static_cast<std::size_t>(1 + step));
    EXPECT_TRUE(second->tokens.empty());
  }
  ASSERT_THAT(engine->Step().status(), IsOk());  // the last four of its hundred tokens
  EXPECT_EQ(second->tokens.size(), 1U);
  Finish(*engine);
  ExpectGreedy(*model_, prompt, *second);
}

TEST_P(CompletionEngineTest, EndsAtTheContextsEnd) {
  const std::int64_t context = (*model_).config().context;
  const auto engine = NewEngine();
  const auto full = Add(*engine, Greedy(0, RandomPrompt(context), 100));
  const auto nearly = Add(*engine, Greedy(0, RandomPrompt(context - 2), std::int64_t{1} << 40));
  Finish(*engine);
  EXPECT_EQ(EndOf(*full).completion_tokens, 1);
  EXPECT_EQ(EndOf(*nearly).completion_tokens, 3);
  EXPECT_EQ(EndOf(*full).reason, FinishReason::kLength);
  EXPECT_EQ(EndOf(*nearly).reason, FinishReason::kLength);
}

TEST_P(CompletionEngineTest, WaitsUntilTheCacheHasRoomAndRefusesWhatNeverFits) {
  const std::int64_t token_bytes = KeyValueCache::TokenBytes(*model_);
  const auto engine = NewEngine({.cache_bytes_max = 140 * token_bytes});
  EXPECT_THAT(Refusal(*engine, Greedy(0, RandomPrompt(100), 42)),
              StatusIs(StatusCode::kResourceExhausted, "completion_too_long"));
  const std::vector<TokenId> prompts[] = {RandomPrompt(50), RandomPrompt(60), RandomPrompt(120)};
  std::vector<std::shared_ptr<Heard>> heard;
  for (int i = 0; i < 3; ++i) heard.push_back(Add(*engine, Greedy(i, prompts[i], 10)));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_EQ(engine->running(), 2U);  // 59 and 69 tokens; the third needs 129
  EXPECT_EQ(engine->waiting(), 1U);
  Finish(*engine);
  for (int i = 0; i < 3; ++i)
    ExpectGreedy(states_.Model(i), prompts[i], *heard[static_cast<std::size_t>(i)]);
}

TEST_P(CompletionEngineTest, TheQueueIsBounded) {
  const auto engine = NewEngine({.rows_max = 1, .waiting_max = 2});
  const auto first = Add(*engine, Greedy(0, {5}, 2)), second = Add(*engine, Greedy(0, {5}, 2));
  EXPECT_THAT(Refusal(*engine, Greedy(0, {5}, 2)),
              StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  ASSERT_THAT(engine->Step().status(), IsOk());
  const auto third = Add(*engine, Greedy(0, {5}, 2));
  Finish(*engine);
  EXPECT_EQ(first->ids(), third->ids());
  EXPECT_EQ(second->ids(), third->ids());
}

TEST_P(CompletionEngineTest, CancelledOnesEndAtTheNextStep) {
  const auto engine = NewEngine({.rows_max = 1});
  const auto running = Add(*engine, Greedy(0, {5}, 50)), waiting = Add(*engine, Greedy(1, {5}, 50)),
             other = Add(*engine, Greedy(0, {5}, 2));
  ASSERT_THAT(engine->Step().status(), IsOk());
  running->cancelled->store(true);
  waiting->cancelled->store(true);
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_EQ(running->tokens.size(), 1U);
  EXPECT_THAT(StatusOf(*running), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(StatusOf(*waiting), StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(other->tokens.size(), 1U);
  Finish(*engine);
  EXPECT_EQ(EndOf(*other).completion_tokens, 2);
}

TEST_P(CompletionEngineTest, AStateThatIsNotLiveEndsItsOwnRowsAlone) {
  const auto engine = NewEngine();
  const auto lost = Add(*engine, Greedy(7, {5}, 4)), good = Add(*engine, Greedy(0, {5}, 4));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_THAT(StatusOf(*lost), StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  const auto again = Add(*engine, Greedy(7, {5}, 4));
  Finish(*engine);
  EXPECT_THAT(StatusOf(*again), StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  ExpectGreedy(*model_, {5}, *good);
}

TEST_P(CompletionEngineTest, AStateThatComputesNothingFiniteEndsItsOwnRowsAlone) {
  const at::Tensor weight = (*model_).DownWeight(LayerIndex(1));
  states_.Put(
      1, (*model_).WithDownWeights(
             {{LayerIndex(1), at::full_like(weight, std::numeric_limits<float>::quiet_NaN())}}));
  const auto engine = NewEngine();
  const auto first = Add(*engine, Greedy(0, {5}, 6));
  ASSERT_THAT(engine->Step().status(), IsOk());
  const auto undefined = Add(*engine, Greedy(1, {5}, 6)), second = Add(*engine, Greedy(2, {6}, 6));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_THAT(StatusOf(*undefined), StatusIs(StatusCode::kInternal, "non_finite_logits"));
  Finish(*engine);
  ExpectGreedy(*model_, {5}, *first);
  ExpectGreedy(states_.Model(2), {6}, *second);
}

TEST_P(CompletionEngineTest, APassThatFailsEndsItsRowsAndTheEngineGoesOn) {
  states_.Put(1, std::make_shared<FailingModel>(*model_));
  const auto engine = NewEngine({.rows_max = 2});
  const auto first = Add(*engine, Greedy(0, {5}, 6)), failing = Add(*engine, Greedy(1, {5}, 6)),
             waiting = Add(*engine, Greedy(2, {6}, 6));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_THAT(StatusOf(*first), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(StatusOf(*failing), StatusIs(StatusCode::kResourceExhausted));
  Finish(*engine);
  ExpectGreedy(states_.Model(2), {6}, *waiting);
}

TEST_P(CompletionEngineTest, AStateIsHeldFromItsFirstStepToItsLastRow) {
  const auto engine = NewEngine({.rows_max = 1});
  const auto first = Add(*engine, Greedy(0, {5}, 3)), second = Add(*engine, Greedy(1, {6}, 3));
  ASSERT_THAT(engine->Step().status(), IsOk());
  EXPECT_EQ(states_.Holders(1), 1);  // though it waits
  const auto model = states_.Finder()(StateOf(1));
  states_.Drop(1);
  Finish(*engine);
  ExpectGreedy(**model, {6}, *second);
  EXPECT_EQ(model->use_count(), 1);
}

TEST_P(CompletionEngineTest, WhatIsLeftEndsWithTheEngine) {
  auto engine = NewEngine({.rows_max = 1});
  const auto running = Add(*engine, Greedy(0, {5}, 50)), waiting = Add(*engine, Greedy(0, {5}, 50));
  ASSERT_THAT(engine->Step().status(), IsOk());
  engine.reset();
  EXPECT_THAT(StatusOf(*running), StatusIs(StatusCode::kUnavailable, "engine_stopped"));
  EXPECT_THAT(StatusOf(*waiting), StatusIs(StatusCode::kUnavailable, "engine_stopped"));
  EXPECT_EQ(states_.Holders(0), 0);
}

TEST_P(CompletionEngineTest, RefusesRequestsThatNoModelCouldAnswer) {
  const auto engine = NewEngine();
  const auto changed = [&](const std::function<void(CompletionRequest&)>& change) {
    CompletionRequest request = Greedy(0, {5}, 4);
    change(request);
    return Refusal(*engine, request);
  };
  const std::int64_t vocabulary = (*model_).config().vocabulary;
  EXPECT_THAT(changed([](auto& request) { request.prompt = {}; }),
              StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
  EXPECT_THAT(changed([&](auto& request) { request.prompt = {static_cast<TokenId>(vocabulary)}; }),
              StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_THAT(changed([&](auto& request) {
                request.prompt.assign(static_cast<std::size_t>((*model_).config().context + 1), 5);
              }),
              StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_THAT(changed([](auto& request) { request.tokens_max = -1; }),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(changed([](auto& request) { request.sampling.top_p = 0; }),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(
      changed([](auto& request) { request.logprobs = CompletionRequest::kLogprobsMax + 1; }),
      StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(changed([](auto& request) { request.stop = {""}; }),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(changed([](auto& request) { request.stop = {"\xff"}; }),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(changed([](auto& request) { request.stop = {"a", "b", "c", "d", "e"}; }),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_FALSE(*engine->Step());
}

class AtlasCompletionTest : public CompletionEngineTest {};
INSTANTIATE_TEST_SUITE_P(Atlas, AtlasCompletionTest,
                         testing::Values(Setting{"atlas", kAtlasModel, "atlas"}),
                         [](const auto&) { return std::string("atlas"); });

// After facts the demo model soon ends, after noise it rambles.
TEST_P(AtlasCompletionTest, StreamsTheTextThatGenerationGives) {
  const auto engine = NewEngine();
  std::vector<std::vector<TokenId>> prompts = {RandomPrompt(9), RandomPrompt(9), RandomPrompt(9)};
  for (const auto& fact : AtlasFacts(3))
    prompts.push_back(worker::tokenizer::Ids(*tokenizer_->Encode(fact.prompt)));
  std::size_t longest = 0;
  for (const std::vector<TokenId>& prompt : prompts) {
    ASSERT_OK_AND_ASSIGN(const Generation alone,
                         GenerateTokens(*model_, prompt, {.max_tokens = 24}));
    std::string text = tokenizer_->Decode(alone.tokens);
    while (const auto offset = FirstInvalidUtf8(text)) text.erase(*offset, 1);
    CompletionRequest request = Greedy(0, prompt, 24);
    request.logprobs.reset();
    const auto heard = Add(*engine, request);
    request.stop = {text.substr(text.size() / 2, 3)};
    const bool can_stop = !FirstInvalidUtf8(request.stop[0]);
    const auto stopped = can_stop ? Add(*engine, request) : nullptr;
    Finish(*engine);
    EXPECT_EQ(heard->text, text);
    EXPECT_TRUE(heard->tokens.empty());
    longest = std::max(longest, heard->pieces.size());
    if (!can_stop) continue;
    EXPECT_EQ(stopped->text, text.substr(0, text.find(request.stop[0])));
    EXPECT_EQ(EndOf(*stopped).reason, FinishReason::kStop);
  }
  EXPECT_GE(longest, 12U);
}

TEST_P(AtlasCompletionTest, NamesTheLikeliestTokensAtEachPlace) {
  CompletionRequest request = Greedy(2, RandomPrompt(5), 6);
  request.logprobs = 4;
  const auto engine = NewEngine();
  const auto heard = Add(*engine, request);
  Finish(*engine);
  ASSERT_OK_AND_ASSIGN(const Generation alone, GenerateTokens(states_.Model(2), request.prompt,
                                                              {.max_tokens = 1, .top = 4}));
  ASSERT_EQ(heard->tokens.size(), 6U);
  const TokenLogprob& first = heard->tokens[0];
  ASSERT_EQ(first.top.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(first.top[i].id, alone.top[i].id);
    EXPECT_EQ(first.top[i].text, tokenizer_->TokenText(alone.top[i].id));
    EXPECT_NEAR(std::exp(first.top[i].logprob), alone.top[i].probability, 1e-5);
  }
  EXPECT_EQ(first.token.id, first.top[0].id);
}

}  // namespace
}  // namespace emend::test::completion_engine_test
