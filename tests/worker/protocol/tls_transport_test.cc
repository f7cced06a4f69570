#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>

#include "tests/support/certificates.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"
#include "worker/protocol/connection.h"

namespace emend::worker::protocol::tls_transport_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::emend::test::TestAuthority;
namespace asio = boost::asio;

// A coordinator that listens and a worker that dials, each with its own files; `Meet` connects them
// and sends one frame each way.
class TlsTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/tls-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    authority_ = std::make_unique<TestAuthority>(folder_, "own");
    coordinator_ = authority_->Issue("coordinator", "IP:127.0.0.1");
    worker_ = authority_->Issue("worker", "DNS:worker");
  }

  struct Outcome {
    Status at_worker;       // of its receiving
    Status at_coordinator;  // of its receiving
  };

  std::unique_ptr<Transport> Tls(const TlsFiles& files) {
    auto transport = NewTlsTransport(*runtime_, files);
    EXPECT_THAT(transport, IsOk());
    return std::move(transport).value();
  }

  void Run(Awaitable<void> main) {
    asio::co_spawn(runtime_->executor(), std::move(main), [this](std::exception_ptr error) {
      EXPECT_EQ(error, nullptr);
      runtime_->Stop();
    });
    runtime_->Run();
  }

  SteadyTime Soon() { return runtime_->clock().Now() + 5s; }

  Awaitable<Status> Greet(Connection& connection) {
    for (const Message& message : SampleMessages()) {
      Envelope envelope{.store_epoch = 3, .generation = 7, .message = message};
      const Status sent = co_await connection.Send(std::move(envelope), Soon());
      if (!sent.ok()) co_return sent;
    }
    co_return OkStatus();
  }

  Awaitable<Status> Hear(Connection& connection) {
    for (const Message& message : SampleMessages()) {
      const Result<Envelope> received = co_await connection.Receive(Soon());
      if (!received.ok()) co_return received.status();
      EXPECT_TRUE(received->message == message);
    }
    co_return OkStatus();
  }

  Awaitable<void> Meet(Transport& dialing, Listener& listener, Outcome& outcome) {
    Result<std::shared_ptr<Connection>> dialed = co_await dialing.Dial(listener.address(), Soon());
    EXPECT_THAT(dialed, IsOk());
    Result<std::shared_ptr<Connection>> accepted = co_await listener.Accept();
    EXPECT_THAT(accepted, IsOk());
    static_cast<void>(co_await Greet(**dialed));
    outcome.at_coordinator = co_await Hear(**accepted);
    static_cast<void>(co_await Greet(**accepted));
    outcome.at_worker = co_await Hear(**dialed);
    (*dialed)->Close();
    (*accepted)->Close();
  }

  Awaitable<void> MeetOnce(Transport& dialing, Transport& listening, Outcome& outcome) {
    auto listener = listening.Listen("127.0.0.1:0");
    EXPECT_THAT(listener, IsOk());
    co_await Meet(dialing, **listener, outcome);
  }

  Outcome Meeting(Transport& dialing, Transport& listening) {
    Outcome outcome;
    Run(MeetOnce(dialing, listening, outcome));
    return outcome;
  }

  const std::unique_ptr<SystemRuntime> runtime_ = NewSystemRuntime(1);
  std::string folder_;
  std::unique_ptr<TestAuthority> authority_;
  TlsFiles coordinator_;
  TlsFiles worker_;
};

TEST_F(TlsTransportTest, EveryMessageGoesBothWays) {
  const Outcome outcome = Meeting(*Tls(worker_), *Tls(coordinator_));
  EXPECT_THAT(outcome.at_coordinator, IsOk());
  EXPECT_THAT(outcome.at_worker, IsOk());
}

TEST_F(TlsTransportTest, AWorkerOfAnotherAuthorityIsRefusedByBoth) {
  const TestAuthority other(folder_, "other");
  const Outcome outcome = Meeting(*Tls(other.Issue("stranger", "DNS:worker")), *Tls(coordinator_));
  EXPECT_THAT(outcome.at_coordinator, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(outcome.at_worker, StatusIs(StatusCode::kUnavailable));
  EXPECT_NE(outcome.at_worker.message().find("certificate verify failed"), std::string::npos)
      << outcome.at_worker.message();
}

TEST_F(TlsTransportTest, AWorkerThatTrustsUsIsRefusedWithoutACertificateThatWeTrust) {
  TlsFiles stranger = TestAuthority(folder_, "other").Issue("stranger", "DNS:worker");
  stranger.authority = worker_.authority;
  const Outcome outcome = Meeting(*Tls(stranger), *Tls(coordinator_));
  EXPECT_THAT(outcome.at_coordinator, StatusIs(StatusCode::kUnavailable));
  EXPECT_NE(outcome.at_coordinator.message().find("certificate verify failed"), std::string::npos)
      << outcome.at_coordinator.message();
  EXPECT_THAT(outcome.at_worker, StatusIs(StatusCode::kUnavailable));
}

TEST_F(TlsTransportTest, ACoordinatorOfAnotherHostIsRefused) {
  const TlsFiles elsewhere = authority_->Issue("elsewhere", "DNS:emend.example,IP:10.0.0.1");
  const Outcome outcome = Meeting(*Tls(worker_), *Tls(elsewhere));
  EXPECT_THAT(outcome.at_worker, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(outcome.at_coordinator, StatusIs(StatusCode::kUnavailable));
}

TEST_F(TlsTransportTest, APlainPeerIsRefused) {
  const auto plain = NewTcpTransport(*runtime_);
  const Outcome outcome = Meeting(*plain, *Tls(coordinator_));
  EXPECT_THAT(outcome.at_coordinator, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(outcome.at_worker, StatusIs(StatusCode::kUnavailable));
}

TEST_F(TlsTransportTest, ASilentPeerKeepsNobodyWaiting) {
  asio::io_context context;
  asio::ip::tcp::socket silent(context);
  const auto listening = Tls(coordinator_);
  const auto dialing = Tls(worker_);
  auto listener = listening->Listen("127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  const std::string port = (*listener)->address().substr((*listener)->address().rfind(':') + 1);
  silent.connect(
      {asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(std::stoul(port))});
  Outcome outcome;
  const auto main = [this](Listener& accepting, Transport& from, Outcome& into) -> Awaitable<void> {
    Result<std::shared_ptr<Connection>> first = co_await accepting.Accept();
    EXPECT_THAT(first, IsOk());
    co_await Meet(from, accepting, into);
    const Result<Envelope> nothing = co_await (*first)->Receive(runtime_->clock().Now() + 50ms);
    EXPECT_THAT(nothing, StatusIs(StatusCode::kDeadlineExceeded));
    (*first)->Close();
  };
  Run(main(**listener, *dialing, outcome));
  EXPECT_THAT(outcome.at_coordinator, IsOk());
  EXPECT_THAT(outcome.at_worker, IsOk());
}

TEST_F(TlsTransportTest, RenewedFilesCountForTheNextConnection) {
  const auto listening = Tls(coordinator_);
  const auto dialing = Tls(worker_);
  const TestAuthority renewed(folder_, "own");
  renewed.Issue("coordinator", "IP:127.0.0.1");
  renewed.Issue("worker", "DNS:worker");
  const Outcome outcome = Meeting(*dialing, *listening);
  EXPECT_THAT(outcome.at_coordinator, IsOk());
  EXPECT_THAT(outcome.at_worker, IsOk());
}

TEST_F(TlsTransportTest, FilesThatVanishLeaveTheLastGoodOnes) {
  const auto listening = Tls(coordinator_);
  const auto dialing = Tls(worker_);
  std::filesystem::remove(coordinator_.certificate);
  std::filesystem::remove(worker_.key);
  const Outcome outcome = Meeting(*dialing, *listening);
  EXPECT_THAT(outcome.at_coordinator, IsOk());
  EXPECT_THAT(outcome.at_worker, IsOk());
}

TEST_F(TlsTransportTest, AFileThatCannotBeUsedIsNamed) {
  TlsFiles wrong_key = coordinator_;
  wrong_key.key = worker_.key;
  TlsFiles no_authority = coordinator_;
  no_authority.authority = folder_ + "/none.pem";
  TlsFiles no_key = coordinator_;
  no_key.key.clear();
  for (const TlsFiles& files : {wrong_key, no_authority, no_key}) {
    const auto transport = NewTlsTransport(*runtime_, files);
    EXPECT_THAT(transport, StatusIs(StatusCode::kInvalidArgument, "bad_tls_files"));
  }
  const std::string missing = NewTlsTransport(*runtime_, no_authority).status().message();
  EXPECT_NE(missing.find("none.pem\": No such file"), std::string::npos) << missing;
  const std::string mismatch = NewTlsTransport(*runtime_, wrong_key).status().message();
  EXPECT_NE(mismatch.find("key values mismatch"), std::string::npos) << mismatch;
}

}  // namespace
}  // namespace emend::worker::protocol::tls_transport_test
