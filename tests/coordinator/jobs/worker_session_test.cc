// Two repos of two bases on few workers without a model, in virtual time: who waits for whom, and
// that everybody's turn comes.
#include "coordinator/jobs/worker_session.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "coordinator/answers/ask.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs::worker_session_test {
namespace {

using namespace std::chrono_literals;
using answers::AskAnswer;
using nlohmann::json;
using server::OperationView;
using storage::records::Operation;
using storage::records::OperationState;
using test::IsOk;
using test::SimCluster;
using test::StatusIs;
using ::testing::HasSubstr;

const RepoName kOther("other");

class TwoBasesTest : public testing::Test {
 protected:
  explicit TwoBasesTest(int workers = 1) : cluster_(/*seed=*/3, workers) {
    Run("import", cluster_.ImportBody(), SimCluster::kRepo);
    Run("statistics", cluster_.StatisticsBody(), SimCluster::kRepo);
    Run("import", cluster_.ImportBody(kOther, 77), kOther);
    Run("statistics", cluster_.StatisticsBody(), kOther);
  }

  using Question = std::shared_ptr<std::optional<Result<AskAnswer>>>;
  using Ended = std::shared_ptr<std::optional<Operation>>;

  Ended Begin(const std::string& kind, const json& body, const RepoName& repo) {
    return sim().Begin(cluster_.Complete(kind, body, "", {.repo = repo}));
  }
  Ended BeginCommit(const RepoName& repo, const std::string& target = "chess",
                    const std::string& branch = "main") {
    return Begin("commit",
                 {{"branch", branch},
                  {"facts", {{{"prompt", "{} plays"}, {"subject", "Ann"}, {"target", target}}}}},
                 repo);
  }
  OperationId AcceptCommit(const RepoName& repo) {
    const json body = {{"branch", "main"},
                       {"facts", {{{"prompt", "{} plays"}, {"subject", "Ann"}, {"target", "go"}}}}};
    return sim().Await(cluster_.Accept("commit", body, "", {.repo = repo}))->operation.id;
  }
  OperationView View(const OperationId& id) {
    return **sim().Await(cluster_.service().ReadOperation(id));
  }
  Operation Finish(const Ended& ended) {
    EXPECT_TRUE(sim().RunUntil([&] { return ended->has_value(); }, 10min));
    return ended->value();
  }
  void Run(const std::string& kind, const json& body, const RepoName& repo) {
    const Operation operation = Finish(Begin(kind, body, repo));
    ASSERT_EQ(operation.state, OperationState::kSucceeded)
        << kind << ": " << operation.error_message;
  }

  Question Ask(const RepoName& repo) {
    return sim().Begin(
        answers::Ask(cluster_.service(), cluster_.admin(), {repo, "main", "prompt", 1, 1}));
  }
  // How long from now.
  std::chrono::nanoseconds TimeTo(const Question& question, std::chrono::seconds limit = 2min) {
    const auto begin = sim().elapsed();
    EXPECT_TRUE(sim().RunUntil([&] { return question->has_value(); }, limit));
    return sim().elapsed() - begin;
  }
  void RunUntilAsked(const std::string& request, std::size_t worker = 0) {
    const auto& requests = cluster_.worker(worker).worker->requests();
    const auto begin = static_cast<std::ptrdiff_t>(requests.size());
    ASSERT_TRUE(sim().RunUntil(
        [&] {
          return std::find(requests.begin() + begin, requests.end(), request) != requests.end();
        },
        2min))
        << request;
  }

  // What clients of one repo, who always want something more, got of it.
  struct Served {
    int texts = 0;
    int answers = 0;
    Status failure;
  };
  Awaitable<int> CompleteTexts(RepoName repo, std::int32_t tokens, Served* served) {
    while (!stop_) {
      server::CompletionRequest request{
          .repo = repo, .revision = "main", .prompts = {{"prompt"}}, .count = 1, .text = {}};
      request.text.tokens_max = tokens;
      auto stream = co_await cluster_.service().Complete(cluster_.admin(), std::move(request));
      Status status = stream.status();
      for (bool goes_on = status.ok(); goes_on;) {
        const Result<std::optional<server::CompletionPiece>> piece =
            co_await (*stream)->Next([] { return true; });
        status = piece.status();
        goes_on = piece.ok() && piece->has_value();
      }
      ++served->texts;
      if (!status.ok()) served->failure = status;
    }
    co_return 0;
  }
  Awaitable<int> AskOn(RepoName repo, Served* served) {
    while (!stop_) {
      answers::AskRequest request{repo, "main", "prompt", 1, 1};
      const Result<AskAnswer> answer =
          co_await answers::Ask(cluster_.service(), cluster_.admin(), std::move(request));
      ++served->answers;
      if (!answer.ok()) served->failure = answer.status();
    }
    co_return 0;
  }
  // Of a minute and a half, and of the first repo.
  std::shared_ptr<std::optional<int>> BeginLongText(Served* served) {
    auto client = sim().Begin(CompleteTexts(SimCluster::kRepo, 600, served));
    sim().RunFor(5s);
    stop_ = true;
    return client;
  }
  void StopClients(const std::vector<std::shared_ptr<std::optional<int>>>& clients) {
    stop_ = true;
    for (const auto& client : clients)
      EXPECT_TRUE(sim().RunUntil([&] { return client->has_value(); }, 2min));
  }

  test::SimRuntime& sim() { return cluster_.sim(); }
  test::FakeWorker& worker(std::size_t number = 0) { return *cluster_.worker(number).worker; }

  SimCluster cluster_;
  bool stop_ = false;
};

class TwoBasesOnTwoWorkersTest : public TwoBasesTest {
 protected:
  TwoBasesOnTwoWorkersTest() : TwoBasesTest(2) {}
};

TEST_F(TwoBasesTest, WhileNothingIsUnderWayTheOtherBaseComesAtOnce) {
  for (const RepoName& repo : {SimCluster::kRepo, kOther, SimCluster::kRepo}) {
    const Question question = Ask(repo);
    EXPECT_LT(TimeTo(question), 1s);
    EXPECT_THAT(question->value(), IsOk());
  }
}

TEST_F(TwoBasesTest, AQuestionAboutTheOtherBaseWaitsForTheSolveAndHoldsUpNobody) {
  worker().SetWorkOf("solve", 20s);
  const Ended commit = BeginCommit(SimCluster::kRepo);
  RunUntilAsked("solve");
  const Question other = Ask(kOther);
  sim().RunFor(1s);
  for (int i = 0; i < 5; ++i) {
    const Question own = Ask(SimCluster::kRepo);
    EXPECT_LT(TimeTo(own), 1s) << "the base that is solved on is asked meanwhile";
    EXPECT_THAT(own->value(), IsOk());
  }
  Served texts;
  const auto client = sim().Begin(CompleteTexts(SimCluster::kRepo, 4, &texts));
  sim().RunFor(3s);
  EXPECT_GT(texts.texts, 2) << "and says texts";
  EXPECT_THAT(texts.failure, IsOk());
  EXPECT_FALSE(other->has_value());
  StopClients({client});
  EXPECT_LT(TimeTo(other), 20s);
  EXPECT_THAT(other->value(), IsOk());
  EXPECT_EQ(Finish(commit).state, OperationState::kSucceeded);
}

TEST_F(TwoBasesTest, AfterHalfAMinuteAQuestionSaysWhatIsInItsWay) {
  worker().SetWorkOf("solve", 90s);
  const Ended commit = BeginCommit(SimCluster::kRepo);
  RunUntilAsked("solve");
  const auto& requests = worker().requests();
  const auto loads = std::ranges::count(requests, "load_base");
  const Question other = Ask(kOther);
  const auto waited = TimeTo(other);
  EXPECT_GE(waited, 30s);
  EXPECT_LT(waited, 33s);
  EXPECT_THAT(other->value(), StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(other->value().status().message(), HasSubstr("is worked on"));
  EXPECT_THAT(other->value().status().message(), HasSubstr("start more workers"));
  EXPECT_LT(std::ranges::count(requests, "load_base"), loads + 36) << "once a second at most";
  EXPECT_EQ(Finish(commit).state, OperationState::kSucceeded);
}

TEST_F(TwoBasesTest, AStreamOfTextsKeepsNoCommitOfTheOtherBaseAway) {
  Served texts;
  std::vector<std::shared_ptr<std::optional<int>>> clients;
  for (int i = 0; i < 4; ++i) {
    // three seconds each
    clients.push_back(sim().Begin(CompleteTexts(SimCluster::kRepo, 20, &texts)));
    sim().RunFor(700ms);
  }
  sim().RunFor(10s);
  const int before = texts.texts;
  EXPECT_GT(before, 4);
  const auto begin = sim().elapsed();
  const Ended commit = BeginCommit(kOther);
  EXPECT_EQ(Finish(commit).state, OperationState::kSucceeded);
  EXPECT_LT(sim().elapsed() - begin, 60s);
  sim().RunFor(20s);
  EXPECT_GT(texts.texts, before + 4);
  EXPECT_THAT(texts.failure, IsOk()) << "none of them failed";
  StopClients(clients);
}

TEST_F(TwoBasesTest, BothGoOnThoughBothAreAlwaysWanted) {
  Served one, other;
  std::vector<std::shared_ptr<std::optional<int>>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(sim().Begin(CompleteTexts(SimCluster::kRepo, 10, &one)));
    clients.push_back(sim().Begin(CompleteTexts(kOther, 10, &other)));
    clients.push_back(sim().Begin(AskOn(SimCluster::kRepo, &one)));
    clients.push_back(sim().Begin(AskOn(kOther, &other)));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Finish(BeginCommit(SimCluster::kRepo, "chess " + std::to_string(i))).state,
              OperationState::kSucceeded);
    EXPECT_EQ(Finish(BeginCommit(kOther, "chess " + std::to_string(i))).state,
              OperationState::kSucceeded);
  }
  sim().RunFor(2min);
  for (const Served* served : {&one, &other}) {
    EXPECT_GT(served->texts, 20);
    EXPECT_GT(served->answers, 20);
    EXPECT_THAT(served->failure, IsOk());
  }
  StopClients(clients);
}

TEST_F(TwoBasesTest, AJobWaitsAsLongAsItTakesAndSaysThatItDoes) {
  Served texts;
  const auto client = BeginLongText(&texts);
  const OperationId id = AcceptCommit(kOther);
  sim().RunFor(40s);
  EXPECT_EQ(View(id).operation.state, OperationState::kRunning);
  EXPECT_EQ(View(id).progress.phase, "waiting for a worker");
  EXPECT_TRUE(sim().RunUntil([&] { return client->has_value(); }, 2min));
  EXPECT_THAT(texts.failure, IsOk());
  sim().RunFor(20s);
  EXPECT_EQ(View(id).operation.state, OperationState::kSucceeded)
      << View(id).operation.error_message;
}

TEST_F(TwoBasesTest, AJobThatWaitsIsCancelledAtOnce) {
  Served texts;
  const auto client = BeginLongText(&texts);
  const OperationId id = AcceptCommit(kOther);
  sim().RunFor(10s);
  EXPECT_EQ(View(id).operation.state, OperationState::kRunning);
  EXPECT_THAT(*sim().Await(cluster_.service().Cancel(cluster_.admin(), id)), IsOk());
  sim().RunFor(500ms);
  EXPECT_EQ(View(id).operation.state, OperationState::kCancelled);
  StopClients({client});
  EXPECT_THAT(texts.failure, IsOk()) << "the text goes on";
}

TEST_F(TwoBasesOnTwoWorkersTest, OfTwoBusyWorkersTheOneThatIsFreeFirstIsTaken) {
  ASSERT_THAT(cluster_.MoveRef({.name = "side", .revision = "main"}), IsOk());
  ASSERT_EQ(Finish(BeginCommit(SimCluster::kRepo, "go", "side")).state, OperationState::kSucceeded);
  worker(0).SetWorkOf("solve", 5min);
  worker(1).SetWorkOf("solve", 10s);
  const Ended one = BeginCommit(SimCluster::kRepo, "chess", "main");
  const Ended other = BeginCommit(SimCluster::kRepo, "chess", "side");
  sim().RunFor(5s);
  ASSERT_EQ(worker(0).requests().back(), "solve");
  ASSERT_EQ(worker(1).requests().back(), "solve");
  const Question question = Ask(kOther);
  EXPECT_LT(TimeTo(question), 20s);
  EXPECT_THAT(question->value(), IsOk());
  EXPECT_EQ(Finish(other).state, OperationState::kSucceeded);
  EXPECT_EQ(Finish(one).state, OperationState::kSucceeded);
}

}  // namespace
}  // namespace emend::coordinator::jobs::worker_session_test
