// A worker that answers a gateway beside its coordinator, in virtual time; and what it keeps live
// for that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "storage/base/digest.h"
#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/server/atlas_requests.h"
#include "worker/server/worker_server.h"

namespace emend::worker::server::gateways_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::Connection;
using protocol::Envelope;
using protocol::Publish;
using protocol::PublishReply;
using protocol::ReadPublication;
using protocol::ReadPublicationReply;
using protocol::ReplyBody;
using protocol::RequestBody;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

StateId Numbered(int number) { return StateId(Sha256("state" + std::to_string(number))); }

protocol::PublishedRef Ref(const std::string& name, const StateId& state) {
  return {RepoName("atlas"), name, 0, AtlasBase(), CommitId(Sha256(name)), state};
}

// The handlers alone. States without edits take no time.
class PublishedStatesTest : public ::testing::Test {
 protected:
  Result<ReplyBody> Ask(const RequestBody& request) {
    return handlers_.Handle(request, {.cancelled = std::make_shared<std::atomic<bool>>(false),
                                      .progress = [](auto, auto, auto) {}});
  }
  PublishReply Tell(std::vector<protocol::PublishedRef> refs) {
    return std::get<PublishReply>(*Ask(Publish{{++sequence_, std::move(refs), {}}}));
  }
  std::vector<StateId> Served() {
    std::vector<StateId> states;
    const Result<ReplyBody> said = Ask(ReadPublication{});
    for (const auto& served : std::get<ReadPublicationReply>(*said).served)
      states.push_back(served.ref.state);
    return states;
  }
  void Ensure(const StateId& state) {
    EXPECT_THAT(Ask(protocol::EnsureState{AtlasBase(), state, {}}), IsOk());
  }

  std::uint64_t sequence_ = 0;
  Handlers handlers_{LiveBaseOptions{.states_max = 3}};
};

TEST_F(PublishedStatesTest, AWorkerWithoutAGatewayAsksForNothing) {
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  EXPECT_EQ(Tell({Ref("main", Numbered(1))}), PublishReply());
}

TEST_F(PublishedStatesTest, WhatIsNotLiveIsAskedForAndThenServed) {
  handlers_.ServeGateways();
  PublishReply reply =
      Tell({Ref("main", Numbered(1)), Ref("next", Numbered(2)), Ref("last", Numbered(3))});
  EXPECT_TRUE(reply.has_gateway);
  EXPECT_FALSE(reply.base.has_value());
  EXPECT_THAT(Served(), IsEmpty());
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  reply = Tell({Ref("main", Numbered(1)), Ref("next", Numbered(2)), Ref("last", Numbered(3))});
  EXPECT_EQ(reply.base, AtlasBase());
  EXPECT_THAT(reply.missing, ElementsAre(Numbered(1), Numbered(2)))
      << "one place is left to what is asked for now and then";
  Ensure(Numbered(2));
  EXPECT_THAT(Served(), ElementsAre(Numbered(2)));
  Ensure(Numbered(1));
  EXPECT_THAT(Served(), ElementsAre(Numbered(1), Numbered(2)));
}

TEST_F(PublishedStatesTest, WhatWasPublishedIsNotDisplacedByWhatIsAskedForOnce) {
  handlers_.ServeGateways();
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  Tell({Ref("main", Numbered(1)), Ref("next", Numbered(2))});
  Ensure(Numbered(1));
  Ensure(Numbered(2));
  for (int other = 3; other < 8; ++other) Ensure(Numbered(other));
  EXPECT_THAT(Served(), ElementsAre(Numbered(1), Numbered(2)));
  // It moves on, and what it stood for is a state like others.
  Tell({Ref("main", Numbered(8)), Ref("next", Numbered(2))});
  EXPECT_THAT(Served(), ElementsAre(Numbered(1), Numbered(2)));
  Ensure(Numbered(8));
  EXPECT_THAT(Served(), ElementsAre(Numbered(8), Numbered(2)));
}

class GatewaysTest : public ::testing::Test {
 protected:
  struct Side {
    std::string address;
    std::unique_ptr<protocol::Transport> host;
    std::unique_ptr<protocol::Listener> listener;
    std::optional<WorkerServer> worker;
    std::shared_ptr<std::optional<Status>> ended;
  };

  void SetUp() override {
    handlers_.ServeGateways();
    Begin(coordinator_, "coordinator:1", Caller::kCoordinator);
    Begin(gateway_, "gateway:1", Caller::kGateway);
  }
  void TearDown() override {
    for (Side* const side : {&coordinator_, &gateway_}) {
      side->worker->Stop();
      EXPECT_TRUE(sim_.RunUntil([side] { return side->ended->has_value(); }, 5min));
    }
  }
  void Begin(Side& side, const std::string& address, Caller caller) {
    side.host = network_->Host(address.substr(0, address.find(':')));
    side.listener = std::move(*side.host->Listen(address));
    WorkerServerOptions options{.address = address, .caller = caller, .hello = {}};
    options.hello.worker = WorkerId("w0");
    side.worker.emplace(sim_, *away_, handlers_, options);
    side.ended = sim_.Begin(side.worker->Run());
  }

  SteadyTime Soon() { return sim_.clock().Now() + 5s; }
  std::shared_ptr<Connection> Accept(Side& side) {
    auto connection = **sim_.Await(side.listener->Accept());
    EXPECT_THAT(*sim_.Await(connection->Receive(Soon())), IsOk());
    return connection;
  }
  std::shared_ptr<Connection> Welcome(Side& side) {
    auto connection = Accept(side);
    Send(*connection, protocol::Welcome{3, 7, 500});
    return connection;
  }
  void Send(Connection& connection, protocol::Message message) {
    Envelope envelope{3, 7, std::move(message)};
    EXPECT_THAT(*sim_.Await(connection.Send(std::move(envelope), Soon())), IsOk());
  }
  Result<ReplyBody> Ask(Connection& connection, RequestBody body) {
    Send(connection, protocol::Request{++last_id_, std::move(body)});
    while (true) {
      const Result<Envelope> answer = *sim_.Await(connection.Receive(Soon()));
      if (!answer.ok()) return answer.status();
      const auto* const response = std::get_if<protocol::Response>(&answer->message);
      if (response != nullptr && response->status.ok()) return *response->body;
      if (response != nullptr) return response->status;
    }
  }

  std::uint64_t last_id_ = 0;
  test::SimRuntime sim_{5};
  std::unique_ptr<test::MemoryNetwork> network_ = test::NewMemoryNetwork(sim_, {.seed = 5});
  std::unique_ptr<protocol::Transport> away_ = network_->Host("w0");
  Handlers handlers_{LiveBaseOptions{}};
  Side coordinator_;
  Side gateway_;
};

TEST_F(GatewaysTest, AGatewayMayAskForAnswersAlone) {
  const auto gateway = Welcome(gateway_);
  for (const RequestBody& request :
       {RequestBody(LoadRequest()), RequestBody(Publish{}), RequestBody(protocol::OpenLine{}),
        RequestBody(protocol::Follow{})}) {
    EXPECT_THAT(Ask(*gateway, request),
                StatusIs(StatusCode::kPermissionDenied, "permission_denied"));
  }
  EXPECT_THAT(Ask(*gateway, ReadPublication{}), IsOk());
  EXPECT_THAT(Ask(*gateway, TextRequest(Numbered(1), 0, 1)),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"));
}

TEST_F(GatewaysTest, WhatWasPublishedOutlivesTheCoordinatorsConversation) {
  const auto coordinator = Welcome(coordinator_);
  ASSERT_THAT(Ask(*coordinator, LoadRequest()), IsOk());
  ASSERT_THAT(Ask(*coordinator, protocol::EnsureState{AtlasBase(), Numbered(1), {}}), IsOk());
  ASSERT_THAT(Ask(*coordinator, Publish{{4, {Ref("main", Numbered(1))}, {}}}), IsOk());
  coordinator->Close();
  const auto gateway = Welcome(gateway_);
  const auto said = Ask(*gateway, ReadPublication{});
  ASSERT_THAT(said, IsOk());
  EXPECT_THAT(std::get<ReadPublicationReply>(*said).served,
              ElementsAre(protocol::ServedRef{Ref("main", Numbered(1)), 4}));
  EXPECT_THAT(Ask(*gateway, TextRequest(Numbered(1), 0, 1)), IsOk());
}

TEST_F(GatewaysTest, WhatAGatewayAskedForHasEndedWhenTheWorkerEnds) {
  const auto coordinator = Welcome(coordinator_);
  ASSERT_THAT(Ask(*coordinator, LoadRequest()), IsOk());
  ASSERT_THAT(Ask(*coordinator, protocol::EnsureState{AtlasBase(), Numbered(1), {}}), IsOk());
  const auto gateway = Welcome(gateway_);
  protocol::Complete text = TextRequest(Numbered(1), 0, 200);
  text.temperature = 1;
  for (text.seed = 1; text.seed <= 8; ++text.seed)
    Send(*gateway, protocol::Request{++last_id_, text});
  // In the middle of a step, the last before others look for work.
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto stop = [&](const protocol::Piece&) {
    for (Side* const side : {&coordinator_, &gateway_}) side->worker->Stop();
    cancelled->store(true);
    std::this_thread::sleep_for(25ms);
  };
  handlers_.Offer(std::make_shared<Interlude>(Interlude{
      text, {.cancelled = cancelled, .progress = [](auto, auto, auto) {}}, [](auto) {}, stop}));
  EXPECT_TRUE(sim_.RunUntil(
      [this] { return coordinator_.ended->has_value() && gateway_.ended->has_value(); }, 5s));
  EXPECT_TRUE(cancelled->load());
  EXPECT_EQ(handlers_.memory().cache_bytes, 0U)
      << "a text that is left would tell its end to a server that is gone";
}

TEST_F(GatewaysTest, AGatewayThatRefusesIsDialledAgain) {
  const auto first = Accept(gateway_);
  Send(*first, protocol::Refuse{"unauthenticated", "another token"});
  const auto gateway = Welcome(gateway_);
  EXPECT_THAT(Ask(*gateway, ReadPublication{}), IsOk());
}

}  // namespace
}  // namespace emend::worker::server::gateways_test
