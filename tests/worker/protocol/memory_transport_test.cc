
#include <gtest/gtest.h>

#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"

namespace emend::worker::protocol::memory_transport_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::SimRuntime;
using ::emend::test::StatusIs;

class MemoryTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = std::move(*server_->Listen("server:1"));
    near_ = **sim_.Await(client_->Dial("server:1", sim_.clock().Now() + 1s));
    far_ = **sim_.Await(listener_->Accept());
  }
  Status Send(std::uint64_t number) {
    return *sim_.Await(
        near_->Send(Envelope{.store_epoch = 0, .generation = 0, .message = Cancel{number}},
                    sim_.clock().Now() + 1s));
  }
  Result<Envelope> Receive() { return *sim_.Await(far_->Receive(sim_.clock().Now() + 1s)); }
  std::uint64_t ReceiveNumber() {
    const Result<Envelope> envelope = Receive();
    EXPECT_THAT(envelope, IsOk());
    return envelope.ok() ? std::get<Cancel>(envelope->message).id : 0;
  }

  SimRuntime sim_{3};
  std::unique_ptr<test::MemoryNetwork> network_ = test::NewMemoryNetwork(
      sim_, {.seed = 3, .observer = [this](std::string_view event) { sim_.Record(event); }});
  std::unique_ptr<Transport> server_ = network_->Host("server");
  std::unique_ptr<Transport> client_ = network_->Host("client");
  std::unique_ptr<Listener> listener_;
  std::shared_ptr<Connection> near_, far_;
};

TEST_F(MemoryTransportTest, FramesArriveInOrderAfterADelay) {
  for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_THAT(Send(i), IsOk());
  const auto before = sim_.elapsed();
  for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_EQ(ReceiveNumber(), i);
  EXPECT_GT(sim_.elapsed(), before);
}

TEST_F(MemoryTransportTest, APartitionDelaysAndHealingDelivers) {
  network_->Partition("client");
  ASSERT_THAT(Send(1), IsOk());
  EXPECT_THAT(Receive(), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(*sim_.Await(client_->Dial("server:1", sim_.clock().Now() + 1s)),
              StatusIs(StatusCode::kDeadlineExceeded));
  network_->Heal("client");
  EXPECT_EQ(ReceiveNumber(), 1U);
}

TEST_F(MemoryTransportTest, ACutEndsBothSides) {
  network_->Cut("client");
  EXPECT_THAT(Send(1), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Receive(), StatusIs(StatusCode::kUnavailable));
}

TEST_F(MemoryTransportTest, ClosingComesAfterWhatWasSent) {
  ASSERT_THAT(Send(1), IsOk());
  near_->Close();
  EXPECT_EQ(ReceiveNumber(), 1U);
  EXPECT_THAT(Receive(), StatusIs(StatusCode::kUnavailable));
}

TEST_F(MemoryTransportTest, AClosedListenerRefusesDials) {
  listener_->Close();
  EXPECT_THAT(*sim_.Await(listener_->Accept()), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(*sim_.Await(client_->Dial("server:1", sim_.clock().Now() + 1s)),
              StatusIs(StatusCode::kUnavailable));
}

}  // namespace
}  // namespace emend::worker::protocol::memory_transport_test
