// A worker at coordinators of its own protocol version and of another one, in virtual time.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"
#include "worker/server/worker_server.h"

namespace emend::worker::server::versions_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::Connection;
using protocol::Envelope;
using protocol::kProtocolVersion;

class VersionsTest : public ::testing::Test {
 protected:
  // A worker that dials a coordinator on this host.
  void Start(const std::string& host) {
    home_ = network_->Host(host);
    listener_ = std::move(*home_->Listen(host + ":1"));
    options_.address = host + ":1";
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
  Status Send(Connection& connection, protocol::Message message) {
    return *sim_.Await(connection.Send({3, 7, std::move(message)}, Soon()));
  }

  test::SimRuntime sim_{5};
  std::unique_ptr<test::MemoryNetwork> network_ =
      test::NewMemoryNetwork(sim_, {.seed = 5, .versions = {{"other", kProtocolVersion + 1}}});
  std::unique_ptr<protocol::Transport> home_;
  std::unique_ptr<protocol::Transport> away_ = network_->Host("w0");
  std::unique_ptr<protocol::Listener> listener_;
  Handlers handlers_{LiveBaseOptions{}};
  WorkerServerOptions options_;
  std::optional<WorkerServer> worker_;
  std::shared_ptr<std::optional<Status>> ended_;
};

TEST_F(VersionsTest, AtItsOwnVersionItSaysWhatTheRankHolds) {
  Start("coordinator");
  const auto connection = Accept();
  const Result<Envelope> hello = Receive(*connection);
  ASSERT_THAT(hello, IsOk());
  EXPECT_EQ(std::get<protocol::Hello>(hello->message).worker, WorkerId("w0"));
  ASSERT_THAT(Send(*connection, protocol::Welcome{3, 7, 500}), IsOk());
  const Result<Envelope> beat = Receive(*connection);
  ASSERT_THAT(beat, IsOk());
  EXPECT_EQ(std::get<protocol::Heartbeat>(beat->message).memory.weights_bytes, 1000U);
}

TEST_F(VersionsTest, AnotherVersionIsRefusedByNameOnBothSidesAndNotDialledAgain) {
  Start("other");
  const auto connection = Accept();
  EXPECT_THAT(Receive(*connection), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_THAT(Send(*connection, protocol::Refuse{"protocol_version", "another"}), IsOk());
  ASSERT_TRUE(sim_.RunUntil([this] { return ended_->has_value(); }, 5s));
  EXPECT_THAT(**ended_, StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_EQ((*ended_)->message(),
            "reading a frame: found protocol version 4, this program speaks 3; use programs of one "
            "release");
}

TEST_F(VersionsTest, ACoordinatorThatHangsUpBeforeItsWelcomeIsDialledAgain) {
  Start("coordinator");
  Accept()->Close();
  EXPECT_THAT(Receive(*Accept()), IsOk());
}

TEST_F(VersionsTest, AnEmbeddedWorkerEndsWhenItsCoordinatorHangsUp) {
  options_.embedded = true;
  Start("coordinator");
  const auto connection = Accept();
  EXPECT_THAT(Receive(*connection), IsOk());
  connection->Close();
  EXPECT_TRUE(sim_.RunUntil([this] { return ended_->has_value(); }, 5s));
  EXPECT_THAT(**ended_, IsOk());
}

}  // namespace
}  // namespace emend::worker::server::versions_test
