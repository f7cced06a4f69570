// Texts piece by piece, from the service to workers and back, in virtual time.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/answers/ask.h"
#include "coordinator/answers/text_streams.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::completions_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::IsOk;
using test::SimCluster;
using test::StatusIs;

// What came of one stream.
struct Outcome {
  CommitId commit;
  std::vector<std::string> texts;  // by index
  std::vector<int> pieces;
  std::size_t ends = 0;
  Status failure;
};

class CompletionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.Run("import", cluster_.ImportBody());
    cluster_.Run("statistics", cluster_.StatisticsBody());
  }

  CompletionRequest Request(const std::string& revision = "main", std::int32_t tokens = 4,
                            std::size_t prompts = 1) {
    CompletionRequest request{
        .repo = SimCluster::kRepo,
        .revision = revision,
        .prompts = std::vector<answers::Prompt>(prompts, answers::Prompt{"prompt"}),
        .count = 1,
        .text = {}};
    request.text.tokens_max = tokens;
    return request;
  }
  storage::records::Operation Commit(const std::string& target) {
    return cluster_.Run(
        "commit", {{"facts", {{{"prompt", "{} plays"}, {"subject", "Ann"}, {"target", target}}}}});
  }
  static Awaitable<Outcome> Follow(SimCluster* cluster, CompletionRequest request) {
    Outcome outcome;
    outcome.texts.resize(request.prompts.size());
    outcome.pieces.resize(request.prompts.size());
    auto stream = co_await cluster->service().Complete(cluster->admin(), std::move(request));
    outcome.failure = stream.status();
    if (!stream.ok()) co_return outcome;
    outcome.commit = (*stream)->commit();
    while (true) {
      Result<std::optional<CompletionPiece>> piece = co_await (*stream)->Next([] { return true; });
      outcome.failure = piece.status();
      if (!piece.ok() || !piece->has_value()) co_return outcome;
      outcome.texts.at((*piece)->index) += (*piece)->text;
      outcome.pieces.at((*piece)->index) += (*piece)->text.empty() ? 0 : 1;
      outcome.ends += (*piece)->end ? 1 : 0;
    }
  }
  Outcome Run(CompletionRequest request) {
    return *cluster_.sim().Await(Follow(&cluster_, std::move(request)));
  }
  auto Begin(CompletionRequest request) {
    return cluster_.sim().Begin(Follow(&cluster_, std::move(request)));
  }
  std::string Answer(const std::string& revision) {
    return (**cluster_.sim().Await(answers::Ask(cluster_.service(), cluster_.admin(),
                                                {SimCluster::kRepo, revision, "prompt", 1, 1})))
        .text.substr(1);
  }
  static std::string Repeated(const std::string& word, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += " " + word;
    return text;
  }

  SimCluster cluster_{11, 2};
};

TEST_F(CompletionsTest, ATextComesInPiecesAndNamesItsCommit) {
  const json committed = json::parse(Commit("chess").result);
  const Outcome outcome = Run(Request());
  EXPECT_THAT(outcome.failure, IsOk());
  EXPECT_EQ(outcome.commit.Hex(), committed["commit"]);
  EXPECT_EQ(outcome.pieces[0], 4);
  EXPECT_EQ(outcome.ends, 1U);
  EXPECT_EQ(outcome.texts[0], Repeated(Answer("main"), 4));
}

TEST_F(CompletionsTest, ManyTextsRunAtOnceOnOneWorker) {
  const auto begin = cluster_.sim().elapsed();
  EXPECT_THAT(Run(Request("main", 50)).failure, IsOk());
  const auto alone = cluster_.sim().elapsed() - begin;
  const Outcome outcome = Run(Request("main", 50, 30));
  EXPECT_THAT(outcome.failure, IsOk());
  EXPECT_EQ(outcome.ends, 30U);
  EXPECT_LT(cluster_.sim().elapsed() - begin - alone, 2 * alone)
      << "one after the other they take thirty times as long as one";
}

TEST_F(CompletionsTest, ATextKeepsItsCommitWhileTheBranchMoves) {
  Commit("chess");
  const std::string chess = Answer("main");
  const auto running = Begin(Request("main", 2000));
  cluster_.sim().RunFor(1s);
  Commit("draughts");
  EXPECT_NE(Answer("main"), chess);
  ASSERT_FALSE(running->has_value()) << "the text should still run";
  cluster_.sim().RunFor(5min);
  ASSERT_TRUE(running->has_value());
  EXPECT_THAT((*running)->failure, IsOk());
  EXPECT_EQ((*running)->texts[0], Repeated(chess, 2000));
}

TEST_F(CompletionsTest, TextsOfManyStatesAllArriveAndNoneIsMixed) {
  std::vector<std::string> answers = {Answer("main")};
  for (const char* target : {"chess", "draughts", "go", "whist", "bridge"}) {
    Commit(target);
    answers.insert(answers.begin(), Answer("main"));
  }
  std::vector<decltype(Begin(Request()))> running;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t back = 0; back < answers.size(); ++back)
      running.push_back(Begin(Request("main~" + std::to_string(back), 20)));
  }
  cluster_.sim().RunFor(2min);
  for (std::size_t i = 0; i < running.size(); ++i) {
    ASSERT_TRUE(running[i]->has_value());
    EXPECT_THAT((*running[i])->failure, IsOk());
    EXPECT_EQ((*running[i])->texts[0], Repeated(answers[i % answers.size()], 20));
  }
}

TEST_F(CompletionsTest, AWorkerThatIsLostBeforeTheFirstPieceIsReplaced) {
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.worker(number).worker->SetVoice(test::FakeWorker::Voice::kMute);
  const auto running = Begin(Request());
  cluster_.sim().RunFor(500ms);
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.worker(number).worker->SetVoice(test::FakeWorker::Voice::kHeard);
  cluster_.sim().RunFor(1min);
  ASSERT_TRUE(running->has_value());
  EXPECT_THAT((*running)->failure, IsOk());
  EXPECT_EQ((*running)->ends, 1U);
}

TEST_F(CompletionsTest, AWorkerThatIsLostBehindTheFirstPieceEndsTheText) {
  const auto running = Begin(Request("main", 2000));
  cluster_.sim().RunFor(1s);
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.worker(number).worker->Die();
  cluster_.sim().RunFor(1s);
  ASSERT_TRUE(running->has_value());
  EXPECT_THAT((*running)->failure, StatusIs(StatusCode::kUnavailable, "worker_lost"));
  EXPECT_GT((*running)->pieces[0], 0);
}

TEST_F(CompletionsTest, WhoLetsGoOfTheStreamCancelsItsTexts) {
  {
    const auto stream = **cluster_.sim().Await(
        cluster_.service().Complete(cluster_.admin(), Request("main", 100'000, 3)));
    ASSERT_THAT(*cluster_.sim().Await(stream->Next([] { return true; })), IsOk());
  }
  cluster_.sim().RunFor(2s);
  std::size_t cancelled = 0;
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cancelled += cluster_.worker(number).worker->cancelled().size();
  EXPECT_EQ(cancelled, 3U);
}

TEST_F(CompletionsTest, ATextThatNobodyWaitsForIsCancelledThoughNothingIsSaid) {
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.worker(number).worker->SetVoice(test::FakeWorker::Voice::kMute);
  auto stream = **cluster_.sim().Await(
      cluster_.service().Complete(cluster_.admin(), Request("main", 100'000)));
  const auto begin = cluster_.sim().elapsed();
  const Result<std::optional<CompletionPiece>> next =
      *cluster_.sim().Await(stream->Next([&] { return cluster_.sim().elapsed() - begin < 700ms; }));
  EXPECT_THAT(next, StatusIs(StatusCode::kCancelled));
  EXPECT_LT(cluster_.sim().elapsed() - begin, 1s);
}

TEST_F(CompletionsTest, StoppingEndsATextThatWaitsForAWorker) {
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.network().Partition(cluster_.worker(number).name);
  cluster_.sim().RunFor(10s);
  const auto running = Begin(Request());
  cluster_.sim().RunFor(500ms);
  EXPECT_FALSE(running->has_value());
  const auto begin = cluster_.sim().elapsed();
  cluster_.Restart();
  EXPECT_LT(cluster_.sim().elapsed() - begin, 10s);
  ASSERT_TRUE(running->has_value());
  EXPECT_THAT((*running)->failure, StatusIs(StatusCode::kCancelled));
}

TEST_F(CompletionsTest, BeyondTheBoundTheAnswerIsLater) {
  std::vector<std::shared_ptr<CompletionStream>> streams;
  for (int i = 0; i < 8; ++i)
    streams.push_back(**cluster_.sim().Await(
        cluster_.service().Complete(cluster_.admin(), Request("main", 100'000, 64))));
  EXPECT_THAT(*cluster_.sim().Await(cluster_.service().Complete(cluster_.admin(), Request())),
              StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  streams.clear();
  cluster_.sim().RunFor(2s);
  EXPECT_THAT(Run(Request()).failure, IsOk());
}

// A text that goes on until nobody waits for it any more.
Awaitable<Result<worker::protocol::CompleteReply>> Endless(std::ptrdiff_t* asked,
                                                           answers::TextCall call) {
  ++*asked;
  co_await call.cancel->WaitUntil(SteadyTime::max());
  co_return Status(StatusCode::kCancelled, "nobody waits");
}

TEST_F(CompletionsTest, AWideRequestLeavesRoomForTheNext) {
  test::SimRuntime& sim = cluster_.sim();
  answers::TextStreams texts(sim);
  std::ptrdiff_t asked = 0;
  std::vector<std::shared_ptr<CompletionStream>> streams;
  const auto begin = [&](std::size_t count) {
    CompletionRequest request = Request("main", 1, count);
    streams.push_back(texts.Begin(request, CommitId(), /*workers=*/2, [&](answers::TextCall call) {
      return Endless(&asked, std::move(call));
    }));
    sim.RunFor(10ms);
    return asked;
  };
  // Two workers run 256 texts: half of what others leave, each time.
  EXPECT_EQ(begin(200), 128);
  EXPECT_EQ(begin(100), 128 + 64);
  EXPECT_EQ(begin(40), 128 + 64 + 32);
  EXPECT_EQ(begin(1), 128 + 64 + 32 + 1) << "one that is narrow need not wait for any";
  // What waited comes in when others have gone.
  streams.erase(streams.begin());
  sim.RunFor(10ms);
  EXPECT_EQ(asked, 128 + 100 + 40 + 1);
  streams.clear();
  EXPECT_TRUE(*sim.Await(texts.Stop()));
}

Awaitable<Result<worker::protocol::CompleteReply>> RefuseWhatIsEmpty(answers::TextCall call) {
  if (call.request.prompt.empty())
    co_return Status(StatusCode::kInvalidArgument, "empty_prompt", "it has no token");
  co_return worker::protocol::CompleteReply{};
}

TEST_F(CompletionsTest, OfSeveralPromptsTheRefusedOneIsNamed) {
  answers::TextStreams texts(cluster_.sim());
  const auto refusal = [&](std::vector<answers::Prompt> prompts) {
    CompletionRequest request = Request();
    request.prompts = std::move(prompts);
    const auto stream = texts.Begin(request, CommitId(), /*workers=*/1, &RefuseWhatIsEmpty);
    while (true) {
      const auto piece = *cluster_.sim().Await(stream->Next([] { return true; }));
      if (!piece.ok()) return piece.status();
      if (!piece->has_value()) return OkStatus();
    }
  };
  EXPECT_EQ(refusal({{"a"}, {""}, {"b"}}).ToString(), "empty_prompt: prompts[1]: it has no token");
  EXPECT_EQ(refusal({{""}}).ToString(), "empty_prompt: it has no token");
}

TEST_F(CompletionsTest, AnAnswerIsACompletionAndEndsSoonAfterItsClientHasGone) {
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cluster_.worker(number).worker->SetVoice(test::FakeWorker::Voice::kMute);
  answers::AskRequest ask{SimCluster::kRepo, "main", "prompt", 100'000, 5};
  auto stream = **cluster_.sim().Await(
      cluster_.service().Complete(cluster_.admin(), answers::CompletionOf(ask)));
  const auto begin = cluster_.sim().elapsed();
  answers::AskListener listener;
  listener.is_wanted = [&] { return cluster_.sim().elapsed() - begin < 1s; };
  EXPECT_THAT(*cluster_.sim().Await(answers::CollectAnswer(std::move(stream), ask, listener)),
              StatusIs(StatusCode::kCancelled));
  EXPECT_LT(cluster_.sim().elapsed() - begin, 1250ms);
  cluster_.sim().RunFor(250ms);
  std::size_t cancelled = 0;
  for (std::size_t number = 0; number < cluster_.workers(); ++number)
    cancelled += cluster_.worker(number).worker->cancelled().size();
  EXPECT_EQ(cancelled, 1U);
}

TEST_F(CompletionsTest, WhatIsNotThereIsNamed) {
  EXPECT_THAT(Run(Request("no-such-branch")).failure, StatusIs(StatusCode::kNotFound));
  Caller stranger = cluster_.admin();
  stranger.scopes = {"read"};
  EXPECT_THAT(*cluster_.sim().Await(cluster_.service().Complete(stranger, Request())),
              StatusIs(StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace emend::coordinator::server::completions_test
