// A gateway and its workers, in virtual time.
#include "api/gateway/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/answers/ask.h"
#include "tests/api/gateway/publications.h"
#include "tests/support/ended.h"
#include "tests/support/fake_worker.h"
#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"

namespace emend::api::gateway::gateway_test {
namespace {

using namespace std::chrono_literals;
using coordinator::answers::AskAnswer;
using coordinator::answers::Caller;
using coordinator::answers::CompletionPiece;
using coordinator::answers::CompletionRequest;
using ::emend::test::Ended;
using ::emend::test::FakeWorker;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::HasSubstr;
using worker::protocol::ReadPublication;
using worker::protocol::ReadPublicationReply;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;
using worker::protocol::SampleTextsReply;

// What came of a stream.
struct Outcome {
  CommitId commit;
  std::string text;
  Status failure;
};

class GatewayTest : public ::testing::Test {
 protected:
  struct Machine {
    std::unique_ptr<worker::protocol::Transport> host;
    std::unique_ptr<FakeWorker> worker;
    ReadPublicationReply says;  // what it may answer
    Status failure;             // of questions
  };

  void SetUp() override { ASSERT_THAT(gateway_.Start(), IsOk()); }
  void TearDown() override {
    for (const auto& machine : machines_) sim_.Await(Ended(machine->worker->Stop()));
    sim_.Await(Ended(gateway_.Stop()));
    sim_.RunFor(1s);
  }
  // Answers with its name.
  Machine& Join(ReadPublicationReply says) {
    const std::string name = "w" + std::to_string(machines_.size());
    Machine& machine = *machines_.emplace_back(std::make_unique<Machine>());
    machine.says = std::move(says);
    machine.host = network_->Host(name);
    machine.worker = std::make_unique<FakeWorker>(
        sim_, *machine.host,
        test::FakeWorkerOptions{.name = name, .group = name, .coordinator = kAddress});
    machine.worker->OnRequest([&machine, name](const RequestBody& request) -> Result<ReplyBody> {
      if (std::holds_alternative<ReadPublication>(request)) return ReplyBody(machine.says);
      EMEND_RETURN_IF_ERROR(machine.failure);
      return ReplyBody(SampleTextsReply{{name}, 1, {}});
    });
    machine.worker->Start();
    sim_.RunFor(1s);
    return machine;
  }

  Result<AskAnswer> Ask(const std::string& revision = "main") {
    return *sim_.Await(coordinator::answers::Ask(
        gateway_, Caller(), {.repo = kRepo, .revision = revision, .prompt = "p", .tokens_max = 1}));
  }
  static Awaitable<Outcome> Follow(Gateway* gateway, std::int32_t tokens) {
    CompletionRequest request{
        .repo = kRepo, .revision = "main", .prompts = {{"p"}}, .count = 1, .text = {}};
    request.text.tokens_max = tokens;
    Outcome outcome;
    auto stream = co_await gateway->Complete(Caller(), std::move(request));
    outcome.failure = stream.status();
    if (!stream.ok()) co_return outcome;
    outcome.commit = (*stream)->commit();
    while (true) {
      Result<std::optional<CompletionPiece>> piece = co_await (*stream)->Next([] { return true; });
      outcome.failure = piece.status();
      if (!piece.ok() || !piece->has_value()) co_return outcome;
      outcome.text += (*piece)->text;
    }
  }
  auto Begin(std::int32_t tokens) { return sim_.Begin(Follow(&gateway_, tokens)); }
  Outcome Finish(const std::shared_ptr<std::optional<Outcome>>& outcome) {
    EXPECT_TRUE(sim_.RunUntil([&] { return outcome->has_value(); }, 1h));
    return **outcome;
  }
  Outcome Complete(std::int32_t tokens) { return Finish(Begin(tokens)); }

  static constexpr char kAddress[] = "gateway:1";
  test::SimRuntime sim_{7};
  std::unique_ptr<test::MemoryNetwork> network_ = test::NewMemoryNetwork(sim_, {.seed = 7});
  std::unique_ptr<worker::protocol::Transport> host_ = network_->Host("gateway");
  Gateway gateway_{
      sim_, *host_, {.worker_token = "secret", .worker_address = kAddress, .silence_max = 60s}};
  std::vector<std::unique_ptr<Machine>> machines_;
};

TEST_F(GatewayTest, AnswersWhatItsWorkersHaveLiveAndNamesTheCommit) {
  Join(AllLive(PublicationAt(5, {RefAt(1)})));
  const auto answer = Ask();
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->text, " w0");
  EXPECT_EQ(answer->commit, RefAt(1).commit);
  EXPECT_EQ(answer->state, RefAt(1).state);
  const Outcome text = Complete(3);
  EXPECT_THAT(text.failure, IsOk());
  EXPECT_EQ(text.text, " w0 w0 w0");
  EXPECT_EQ(text.commit, RefAt(1).commit);
  EXPECT_THAT(gateway_.Ready(), IsOk());
  const auto models = **sim_.Await(gateway_.ListModels());
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].commit, RefAt(1).commit);
}

TEST_F(GatewayTest, TokensAreThoseThatWerePublishedAndMayAskAlone) {
  EXPECT_THAT(*sim_.Await(gateway_.Authenticate("ask-secret")),
              StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_FALSE(gateway_.Ready().ok());
  Join(AllLive(PublicationAt(5, {RefAt(1)})));
  const auto caller = *sim_.Await(gateway_.Authenticate("ask-secret"));
  ASSERT_THAT(caller, IsOk());
  EXPECT_EQ(caller->principal.name, "ann");
  EXPECT_EQ(caller->scopes, std::vector<std::string>{"ask"});
  EXPECT_THAT(*sim_.Await(gateway_.Authenticate("another")),
              StatusIs(StatusCode::kUnauthenticated, "unauthenticated"));
}

TEST_F(GatewayTest, AMovedNameIsFollowed) {
  Machine& machine = Join(AllLive(PublicationAt(5, {RefAt(1)})));
  machine.says = AllLive(PublicationAt(6, {RefAt(2)}));
  sim_.RunFor(1s);
  EXPECT_EQ(Ask()->commit, RefAt(2).commit);
}

TEST_F(GatewayTest, AWorkerThatHasTheStateNoMoreIsPassedOver) {
  const auto says = AllLive(PublicationAt(5, {RefAt(1)}));
  Join(says).failure = Status(StatusCode::kFailedPrecondition, "state_not_live", "displaced");
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kUnavailable, "state_not_live"));
  Machine& second = Join(says);
  EXPECT_EQ(Ask()->text, " w1");
  // What is wrong with the question itself is not asked again.
  machines_[0]->failure = Status(StatusCode::kInvalidArgument, "prompt_too_long", "too long");
  second.failure = machines_[0]->failure;
  const std::size_t asked =
      machines_[0]->worker->requests().size() + second.worker->requests().size();
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_LE(machines_[0]->worker->requests().size() + second.worker->requests().size(), asked + 3)
      << "one question, and a reading at most of each";
}

TEST_F(GatewayTest, ATextThatHasBegunIsNotBegunAgain) {
  const auto says = AllLive(PublicationAt(5, {RefAt(1)}));
  Join(says);
  Join(says);
  const auto text = Begin(1000);
  sim_.RunFor(500ms);
  for (const auto& machine : machines_) machine->worker->Die();
  const Outcome outcome = Finish(text);
  EXPECT_THAT(outcome.failure, StatusIs(StatusCode::kUnavailable, "worker_lost"));
  EXPECT_THAT(outcome.text, HasSubstr(" w"));
  sim_.RunFor(2s);
  EXPECT_THAT(Complete(2).failure, IsOk()) << "they dial again";
}

TEST_F(GatewayTest, ALostGroupIsNotAskedUntilItServesAgain) {
  Machine& machine = Join(AllLive(PublicationAt(5, {RefAt(1)})));
  machine.worker->OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return Status(StatusCode::kUnavailable, "group_lost", "rank 1 is gone");
  });
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kUnavailable, "group_lost"));
  sim_.RunFor(1s);
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_FALSE(gateway_.Ready().ok());
}

TEST_F(GatewayTest, AWorkerThatWasToldNothingYetSaysNothing) {
  Join({});
  EXPECT_THAT(*sim_.Await(gateway_.Authenticate("ask-secret")),
              StatusIs(StatusCode::kUnavailable, "no_worker"));
  Machine& second = Join(AllLive(PublicationAt(5, {RefAt(1)}), 60'001));
  EXPECT_THAT(*sim_.Await(gateway_.Authenticate("ask-secret")), IsOk());
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kUnavailable, "coordinator_silent"))
      << "the first has only just begun to wait for emendd";
  second.says = {};
  sim_.RunFor(1s);
  EXPECT_THAT(*sim_.Await(gateway_.Authenticate("ask-secret")),
              StatusIs(StatusCode::kUnavailable, "no_worker"));
}

TEST_F(GatewayTest, BehindALongSilenceOfEmenddNothingIsAnswered) {
  Machine& machine = Join(AllLive(PublicationAt(5, {RefAt(1)}), 59'000));
  EXPECT_THAT(Ask(), IsOk());
  machine.says.silent_ms = 60'001;
  sim_.RunFor(1s);
  EXPECT_THAT(Ask(), StatusIs(StatusCode::kUnavailable, "coordinator_silent"));
  EXPECT_THAT(Complete(1).failure, StatusIs(StatusCode::kUnavailable, "coordinator_silent"));
  EXPECT_EQ(gateway_.Ready().slug(), "coordinator_silent");
  machine.says.silent_ms = 10;
  sim_.RunFor(1s);
  EXPECT_THAT(Ask(), IsOk());
}

}  // namespace
}  // namespace emend::api::gateway::gateway_test
