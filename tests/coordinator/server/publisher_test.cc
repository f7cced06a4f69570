// What workers are told so that gateways can answer, in virtual time.
#include "coordinator/server/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/answers/ask.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::publisher_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::IsOk;
using test::SimCluster;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using worker::protocol::PublishedRef;

constexpr auto kSoon = 2s;
constexpr auto kRenewed = 8s;

class PublisherTest : public ::testing::Test {
 protected:
  SimCluster::Node& worker(std::size_t number) { return cluster_.worker(number); }
  void Commit(const std::string& target) {
    cluster_.Run("commit",
                 {{"facts", {{{"prompt", "{} plays"}, {"subject", "Ann"}, {"target", target}}}}});
    cluster_.sim().RunFor(kSoon);
  }
  void Import() {
    cluster_.Run("import", cluster_.ImportBody());
    cluster_.Run("statistics", cluster_.StatisticsBody());
    cluster_.sim().RunFor(kSoon);
  }
  void MoveRef(const std::string& name, const CommitId& expected, const std::string& revision) {
    EXPECT_THAT(cluster_.MoveRef({.name = name, .expected = expected, .revision = revision}),
                IsOk());
    cluster_.sim().RunFor(kSoon);
  }
  CommitId Resolve(const std::string& revision) { return *cluster_.repo().Resolve(revision); }
  StateId StateOf(const std::string& revision) {
    return cluster_.repo().ReadCommit(Resolve(revision))->state;
  }
  void Ask(const std::string& revision) {
    EXPECT_THAT(*cluster_.sim().Await(answers::Ask(cluster_.service(), cluster_.admin(),
                                                   {SimCluster::kRepo, revision, "p", 1, 1})),
                IsOk());
  }
  std::vector<std::string> Names(std::size_t number) {
    std::vector<std::string> names;
    for (const PublishedRef& ref : worker(number).model.published().refs) names.push_back(ref.ref);
    return names;
  }

  SimCluster cluster_{11, 2};
};

TEST_F(PublisherTest, EveryWorkerHearsOfEveryNameAndOfTokensThatMayAsk) {
  Import();
  Commit("chess");
  MoveRef("dev", CommitId(), "main");
  for (std::size_t number = 0; number < cluster_.workers(); ++number) {
    const auto& published = worker(number).model.published();
    EXPECT_THAT(Names(number), ElementsAre("main", "dev"));
    EXPECT_EQ(published.refs[0].commit, Resolve("main"));
    EXPECT_EQ(published.refs[0].state, StateOf("main"));
    ASSERT_EQ(published.tokens.size(), 1U);
    EXPECT_EQ(published.tokens[0].id, cluster_.admin().principal.token_id);
  }
  MoveRef("dev", Resolve("dev"), "");
  EXPECT_THAT(Names(0), ElementsAre("main"));
}

TEST_F(PublisherTest, AWorkerWithoutAGatewayIsNotMadeToLoadAnything) {
  cluster_.Run("import", cluster_.ImportBody());
  cluster_.sim().RunFor(kRenewed);
  for (std::size_t number = 0; number < cluster_.workers(); ++number) {
    EXPECT_THAT(worker(number).worker->requests(), Contains("publish"));
    EXPECT_THAT(worker(number).worker->requests(), Not(Contains("load_base")));
  }
}

TEST_F(PublisherTest, WhereAGatewayAsksTheHeadIsLiveAndStaysSo) {
  worker(0).model.ServeGateways();
  Import();
  EXPECT_TRUE(worker(0).model.IsLive(StateOf("main"))) << "nobody has asked for it";
  Commit("chess");
  EXPECT_TRUE(worker(0).model.IsLive(StateOf("main")));
  Commit("go");
  Commit("tennis");
  for (int round = 0; round < 3; ++round) {
    for (const char* revision : {"main~1", "main~2", "main~3"}) Ask(revision);
  }
  cluster_.sim().RunFor(kRenewed);
  EXPECT_TRUE(worker(0).model.IsLive(StateOf("main")));
}

TEST_F(PublisherTest, AWorkerThatComesBackIsToldAgain) {
  worker(0).model.ServeGateways();
  Import();
  worker(0).model = test::DeltaWorker();
  worker(0).model.ServeGateways();
  worker(0).worker->Die();
  cluster_.sim().RunFor(kRenewed);
  EXPECT_THAT(Names(0), ElementsAre("main"));
  EXPECT_TRUE(worker(0).model.IsLive(StateOf("main")));
}

TEST_F(PublisherTest, AWorkerThatCouldNotBeToldIsToldAgain) {
  test::DeltaWorker& model = worker(0).model;
  model.ServeGateways();
  int refused = 0;
  worker(0).worker->OnRequest(
      [&](const worker::protocol::RequestBody& request) -> Result<worker::protocol::ReplyBody> {
        const bool is_told = std::holds_alternative<worker::protocol::Publish>(request);
        if (is_told && refused++ == 0) return Status(StatusCode::kUnavailable, "test", "not now");
        return model.Answer(request);
      });
  cluster_.sim().RunFor(kRenewed);
  EXPECT_EQ(refused, 2) << "once more, and no base to renew the publication of";
  cluster_.Run("import", cluster_.ImportBody());
  cluster_.sim().RunFor(kRenewed);
  EXPECT_TRUE(model.IsLive(StateOf("main")));
}

TEST_F(PublisherTest, TheCoordinatorThatStartsAnewTellsWhatThereIs) {
  Import();
  Commit("chess");
  worker(1).model = test::DeltaWorker();
  cluster_.Restart();
  cluster_.sim().RunFor(kRenewed);
  EXPECT_EQ(worker(1).model.published().refs.at(0).commit, Resolve("main"));
}

}  // namespace
}  // namespace emend::coordinator::server::publisher_test
