// Completions over several ranks: rank 0 decides, the others follow, and what is said is what one
// rank says.
#include <mutex>
#include <thread>

#include "tests/worker/collective/rank_group.h"
#include "tests/worker/eval/completion_fixture.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"
#include "worker/eval/completion_engine.h"

namespace emend::test::completion_ranks_test {
namespace {

using namespace worker::eval;
using worker::collective::Communicator;
using worker::model::Transformer;
using worker::tokenizer::TokenId;

constexpr int kStates = 3;

// One rank's model, states and engine.
struct Rank {
  Rank(Communicator& communicator, const worker::tokenizer::Tokenizer& tokenizer,
       const CompletionEngineOptions& options)
      : ranks(communicator),
        checkpoint(
            std::move(storage::checkpoint::Checkpoint::Open("docs/examples/atlas/model")).value()),
        model(std::move(Transformer::Load(*checkpoint, communicator)).value()),
        states(*model, kStates),
        engine(*model, tokenizer, states.Finder(), options) {}

  bool leads() const { return ranks.rank() == 0; }
  // Rank 0 steps until nothing is left to do and says each time whether there is more; the others
  // follow.
  void Run() {
    for (bool goes_on = true; goes_on;) {
      if (leads()) {
        const Result<bool> stepped = engine.Step();
        EXPECT_THAT(stepped.status(), IsOk());
        goes_on = stepped.ok() && *stepped;
      } else {
        EXPECT_THAT(engine.Follow(), IsOk());
      }
      at::Tensor word = at::full({1}, goes_on ? 1 : 0, at::kLong);
      ASSERT_THAT(ranks.Broadcast(word, 0), IsOk());
      goes_on = word.item<std::int64_t>() == 1;
    }
  }

  Communicator& ranks;
  std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint;
  std::unique_ptr<Transformer> model;
  LiveStates states;
  CompletionEngine engine;
};

CompletionRequest Greedy(int state, std::vector<TokenId> prompt, std::int64_t tokens_max) {
  return {.state = StateOf(state),
          .prompt = std::move(prompt),
          .tokens_max = tokens_max,
          .sampling = {.temperature = 0},
          .stop = {},
          .logprobs = 0};
}

std::shared_ptr<Heard> Add(CompletionEngine& engine, const CompletionRequest& request) {
  auto heard = std::make_shared<Heard>();
  EXPECT_THAT(engine.Add(request, ListenerOf(heard)), IsOk());
  return heard;
}

class CompletionRanksTest : public testing::TestWithParam<int> {
 protected:
  const std::unique_ptr<worker::tokenizer::Tokenizer> tokenizer_ =
      worker::tokenizer::OpenTokenizer("atlas");
  const LoadedModel whole_ = Load("docs/examples/atlas/model");
  const LiveStates states_{*whole_, kStates};
};
INSTANTIATE_TEST_SUITE_P(Ranks, CompletionRanksTest, testing::Values(1, 2, 4));

TEST_P(CompletionRanksTest, SayWhatOneRankSays) {
  OnEachRank(GetParam(), [&](Communicator& communicator) {
    Rank rank(communicator, *tokenizer_, {.rows_max = 4, .prefill_tokens_max = 16});
    std::vector<std::pair<CompletionRequest, std::shared_ptr<Heard>>> asked;
    for (int i = 0; i < 9 && rank.leads(); ++i) {
      std::vector<TokenId> prompt;
      for (int k = 0; k < 1 + 7 * i % 40; ++k) prompt.push_back(3 + (997 * i + 31 * k) % 8000);
      const CompletionRequest request = Greedy(i % kStates, std::move(prompt), 4 + i);
      asked.emplace_back(request, Add(rank.engine, request));
    }
    if (rank.leads()) asked[7].second->cancelled->store(true);
    rank.Run();
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto& [request, heard] = asked[i];
      ASSERT_TRUE(heard->end);
      EXPECT_EQ(heard->end->ok(), i != 7);
      ExpectGreedy(states_.Model(static_cast<int>(i) % kStates), request.prompt, *heard);
    }
    for (int state = 0; state < kStates; ++state)
      EXPECT_EQ(rank.states.Holders(state), 0) << "rank " << communicator.rank();
  });
}

TEST_P(CompletionRanksTest, AStateThatTheLastRankDoesNotHaveEndsItsRowsOnAll) {
  OnEachRank(GetParam(), [&](Communicator& communicator) {
    Rank rank(communicator, *tokenizer_, {});
    if (communicator.rank() == communicator.size() - 1) rank.states.Drop(1);
    std::shared_ptr<Heard> lost, good;
    if (rank.leads())
      std::tie(lost, good) =
          std::pair(Add(rank.engine, Greedy(1, {5, 6}, 4)), Add(rank.engine, Greedy(2, {5, 6}, 4)));
    rank.Run();
    if (!rank.leads()) return;
    EXPECT_THAT(lost->end->status(), StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
    ExpectGreedy(states_.Model(2), {5, 6}, *good);
  });
}

TEST(CompletionLossTest, ALostGroupEndsEveryCompletion) {
  const auto tokenizer = worker::tokenizer::OpenTokenizer("atlas");
  OnEachRank(2, [&](Communicator& communicator) {
    Rank rank(communicator, *tokenizer, {.rows_max = 1});
    if (!rank.leads()) {
      EXPECT_THAT(rank.engine.Follow(), IsOk());
      communicator.Abort();
      EXPECT_THAT(rank.engine.Follow(), StatusIs(StatusCode::kUnavailable, "group_lost"));
      return;
    }
    const auto running = Add(rank.engine, Greedy(0, {5, 6}, 40)),
               waiting = Add(rank.engine, Greedy(1, {5, 6}, 40));
    EXPECT_THAT(rank.engine.Step().status(), IsOk());
    EXPECT_EQ(running->tokens.size(), 1U);
    Result<bool> stepped = true;
    // the loss is noticed by one of the next collectives
    for (int i = 0; i < 100 && stepped.ok(); ++i) stepped = rank.engine.Step();
    EXPECT_THAT(stepped.status(), StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(running->end->status(), StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(waiting->end->status(), StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_EQ(rank.engine.running() + rank.engine.waiting(), 0U);
  });
}

}  // namespace
}  // namespace emend::test::completion_ranks_test
