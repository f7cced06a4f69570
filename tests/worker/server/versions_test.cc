// A worker of this release at coordinators of this release and of the one before, in virtual time.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/server/atlas_requests.h"
#include "worker/protocol/memory_transport.h"
#include "worker/server/worker_server.h"

namespace emend::worker::server {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::Connection;
using protocol::Envelope;
using protocol::Hello;

class VersionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = std::move(*home_->Listen("coordinator:1"));
    options_.address = "coordinator:1";
    options_.hello.worker = WorkerId("w0");
    options_.memory = [] { return protocol::MemoryUse{.weights_bytes = 1000}; };
    worker_.emplace(sim_, *away_, handlers_, options_);
    ended_ = sim_.Begin(worker_->Run());
  }
  void TearDown() override {
    worker_->Stop();
    EXPECT_TRUE(sim_.RunUntil([this] { return ended_->has_value(); }, 5min));
  }

  SteadyTime Soon() { return sim_.clock().Now() + 5s; }
  std::shared_ptr<Connection> Accept() { return **sim_.Await(listener_->Accept()); }
  Result<Envelope> Receive(Connection& connection) {
    return *sim_.Await(connection.Receive(Soon()));
  }
  // The version in which the worker says hello.
  std::uint16_t HelloOf(Connection& connection) {
    const Result<Envelope> first = Receive(connection);
    EXPECT_THAT(first, IsOk());
    return first.ok() ? std::get<Hello>(first->message).protocol_version : 0;
  }
  // A coordinator of the release before closes without a word, since it cannot read the frame.
  std::shared_ptr<Connection> AcceptAsVersion1() {
    for (int attempt = 0; attempt < 4; ++attempt) {
      std::shared_ptr<Connection> connection = Accept();
      if (HelloOf(*connection) == 1) return connection;
      connection->Close();
    }
    return nullptr;
  }
  // Welcomes the worker and gives its first heartbeat.
  std::optional<protocol::Heartbeat> Welcome(Connection& connection) {
    Envelope welcome{3, 7, protocol::Welcome{3, 7, 500}};
    EXPECT_THAT(*sim_.Await(connection.Send(std::move(welcome), Soon())), IsOk());
    const Result<Envelope> beat = Receive(connection);
    EXPECT_THAT(beat, IsOk());
    if (!beat.ok() || !std::holds_alternative<protocol::Heartbeat>(beat->message))
      return std::nullopt;
    return std::get<protocol::Heartbeat>(beat->message);
  }

  Status Ask(Connection& connection, protocol::RequestBody body) {
    Envelope request{3, 7, protocol::Request{++last_id_, std::move(body)}};
    EXPECT_THAT(*sim_.Await(connection.Send(std::move(request), Soon())), IsOk());
    while (true) {
      const Result<Envelope> answer = Receive(connection);
      if (!answer.ok()) return answer.status();
      if (const auto* response = std::get_if<protocol::Response>(&answer->message))
        return response->status;
    }
  }

  std::uint64_t last_id_ = 0;
  test::SimRuntime sim_{5};
  std::unique_ptr<protocol::MemoryNetwork> network_ = protocol::NewMemoryNetwork(sim_, {.seed = 5});
  std::unique_ptr<protocol::Transport> home_ = network_->Host("coordinator");
  std::unique_ptr<protocol::Transport> away_ = network_->Host("w0");
  std::unique_ptr<protocol::Listener> listener_;
  Handlers handlers_{LiveBaseOptions{}};
  WorkerServerOptions options_;
  std::optional<WorkerServer> worker_;
  std::shared_ptr<std::optional<Status>> ended_;
};

TEST_F(VersionsTest, TheNewestIsSpokenFirstAndSaysWhatTheRankHolds) {
  const auto connection = Accept();
  EXPECT_EQ(HelloOf(*connection), protocol::kProtocolVersion);
  const auto beat = Welcome(*connection);
  ASSERT_TRUE(beat.has_value());
  EXPECT_EQ(beat->memory.weights_bytes, 1000U);
}

TEST_F(VersionsTest, ACoordinatorOfTheReleaseBeforeIsSpokenToInItsVersion) {
  const auto connection = AcceptAsVersion1();
  ASSERT_NE(connection, nullptr);
  const auto beat = Welcome(*connection);
  ASSERT_TRUE(beat.has_value());
  EXPECT_EQ(beat->memory.weights_bytes, 0U) << "a version 1 frame has no field for it";
  // It finds its way there again.
  connection->Close();
  EXPECT_NE(AcceptAsVersion1(), nullptr);
}

TEST_F(VersionsTest, OnlyACoordinatorThatAsksAgainIsToldToWaitForABasesTurn) {
  protocol::LoadBase other = LoadRequest();
  other.base = BaseId(EditedState().digest());
  const auto older = AcceptAsVersion1();
  ASSERT_NE(older, nullptr);
  ASSERT_TRUE(Welcome(*older).has_value());
  EXPECT_THAT(Ask(*older, LoadRequest()), IsOk());
  EXPECT_THAT(Ask(*older, other), IsOk());
  older->Close();
  const auto newer = Accept();
  EXPECT_EQ(HelloOf(*newer), protocol::kProtocolVersion);
  ASSERT_TRUE(Welcome(*newer).has_value());
  EXPECT_THAT(Ask(*newer, LoadRequest()), StatusIs(StatusCode::kUnavailable, "base_busy"));
}

TEST_F(VersionsTest, AfterTheCoordinatorWasUpgradedTheNewestIsSpokenAgain) {
  const auto older = AcceptAsVersion1();
  ASSERT_NE(older, nullptr);
  ASSERT_TRUE(Welcome(*older).has_value());
  older->Close();
  EXPECT_EQ(HelloOf(*Accept()), protocol::kProtocolVersion);
}

TEST_F(VersionsTest, ACoordinatorThatDiedBeforeItsWelcomeIsNotTakenForAnOlderOne) {
  const auto first = Accept();
  EXPECT_EQ(HelloOf(*first), protocol::kProtocolVersion);
  first->Close();
  listener_->Close();
  listener_.reset();
  sim_.RunFor(2s);
  listener_ = std::move(*home_->Listen("coordinator:1"));
  EXPECT_EQ(HelloOf(*Accept()), protocol::kProtocolVersion);
}

class EmbeddedVersionsTest : public VersionsTest {
 protected:
  EmbeddedVersionsTest() { options_.embedded = true; }
};

TEST_F(EmbeddedVersionsTest, TheOlderVersionIsTriedBeforeItEnds) {
  const auto connection = AcceptAsVersion1();
  ASSERT_NE(connection, nullptr);
  ASSERT_TRUE(Welcome(*connection).has_value());
  connection->Close();
  EXPECT_TRUE(sim_.RunUntil([this] { return ended_->has_value(); }, 5s))
      << "its conversation ended";
}

TEST_F(EmbeddedVersionsTest, WhoseCoordinatorUnderstandsNeitherEnds) {
  for (const std::uint16_t version : {protocol::kProtocolVersion, protocol::kProtocolVersionMin}) {
    const auto connection = Accept();
    EXPECT_EQ(HelloOf(*connection), version);
    connection->Close();
  }
  EXPECT_TRUE(sim_.RunUntil([this] { return ended_->has_value(); }, 5s));
}

}  // namespace
}  // namespace emend::worker::server
