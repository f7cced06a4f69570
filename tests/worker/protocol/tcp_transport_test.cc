#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <thread>

#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"
#include "worker/protocol/connection.h"

namespace emend::worker::protocol::tcp_transport_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
namespace asio = boost::asio;

// Runs one coroutine on a system runtime to its end.
template <typename Main>
void RunOnSystem(Main main) {
  const auto runtime = NewSystemRuntime(1);
  const auto transport = NewTcpTransport(*runtime);
  SystemRuntime* const borrowed = runtime.get();
  asio::co_spawn(runtime->executor(), main(*runtime, *transport),
                 [borrowed](std::exception_ptr error) {
                   EXPECT_EQ(error, nullptr);
                   borrowed->Stop();
                 });
  runtime->Run();
}

struct Pair {
  std::unique_ptr<Listener> listener;
  std::shared_ptr<Connection> dialed;
  std::shared_ptr<Connection> accepted;
};

Awaitable<Pair> Connect(Runtime& runtime, Transport& transport) {
  Pair pair;
  auto listener = transport.Listen("127.0.0.1:0");
  EXPECT_THAT(listener, IsOk());
  pair.listener = std::move(*listener);
  auto dialed = co_await transport.Dial(pair.listener->address(), runtime.clock().Now() + 5s);
  EXPECT_THAT(dialed, IsOk());
  pair.dialed = *dialed;
  auto accepted = co_await pair.listener->Accept();
  EXPECT_THAT(accepted, IsOk());
  pair.accepted = *accepted;
  co_return pair;
}

Awaitable<void> Exchange(Runtime& runtime, Transport& transport) {
  Pair pair = co_await Connect(runtime, transport);
  for (const Message& message : SampleMessages()) {
    Envelope envelope{.store_epoch = 3, .generation = 7, .message = message};
    EXPECT_THAT(co_await pair.dialed->Send(envelope, runtime.clock().Now() + 5s), IsOk());
    const auto received = co_await pair.accepted->Receive(runtime.clock().Now() + 5s);
    EXPECT_THAT(received, IsOk());
    if (!received.ok()) co_return;
    EXPECT_TRUE(received->message == message);
    EXPECT_EQ(received->store_epoch, 3U);
    EXPECT_EQ(received->generation, 7U);
  }
}

TEST(TcpTransportTest, EveryMessageCrosses) { RunOnSystem(&Exchange); }

Awaitable<void> ExchangeLarge(Runtime& runtime, Transport& transport) {
  Pair pair = co_await Connect(runtime, transport);
  Envelope welcome{.message = Welcome{}};
  EXPECT_THAT(co_await pair.accepted->Send(welcome, runtime.clock().Now() + 5s), IsOk());
  EXPECT_THAT(co_await pair.dialed->Receive(runtime.clock().Now() + 5s), IsOk());
  const Message large = Request{1, PutEdits{BaseId(), {{EditId(), std::string(40 << 20, 'p')}}}};
  auto sent = std::make_shared<Status>();
  asio::co_spawn(
      runtime.executor(),
      [](std::shared_ptr<Connection> to, Message what, SteadyTime by) -> Awaitable<Status> {
        Envelope envelope{.message = std::move(what)};
        co_return co_await to->Send(std::move(envelope), by);
      }(pair.dialed, large, runtime.clock().Now() + 20s),
      [sent](std::exception_ptr, Status status) { *sent = std::move(status); });
  const auto received = co_await pair.accepted->Receive(runtime.clock().Now() + 20s);
  EXPECT_THAT(received, IsOk());
  EXPECT_TRUE(received.ok() && received->message == large);
  EXPECT_THAT(*sent, IsOk());
}

TEST(TcpTransportTest, LargeFramesCrossAfterWelcome) { RunOnSystem(&ExchangeLarge); }

Awaitable<void> LargeBeforeWelcome(Runtime& runtime, Transport& transport) {
  Pair pair = co_await Connect(runtime, transport);
  Hello hello;
  hello.token = std::string(100'000, 't');
  Envelope envelope{.message = hello};
  EXPECT_THAT(co_await pair.dialed->Send(envelope, runtime.clock().Now() + 5s), IsOk());
  EXPECT_THAT(co_await pair.accepted->Receive(runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kDataLoss, "frame_too_long"));
  EXPECT_THAT(co_await pair.accepted->Receive(runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kCancelled));
}

TEST(TcpTransportTest, BeforeWelcomeAFrameOver64KiBEndsTheConnection) {
  RunOnSystem(&LargeBeforeWelcome);
}

Awaitable<void> Deadlines(Runtime& runtime, Transport& transport) {
  Pair pair = co_await Connect(runtime, transport);
  EXPECT_THAT(co_await pair.accepted->Receive(runtime.clock().Now() + 20ms),
              StatusIs(StatusCode::kDeadlineExceeded));
  Envelope beat{.message = Heartbeat{}};
  EXPECT_THAT(co_await pair.dialed->Send(beat, runtime.clock().Now() + 5s), IsOk());
  EXPECT_THAT(co_await pair.accepted->Receive(runtime.clock().Now() + 5s), IsOk());
  pair.dialed->Close();
  EXPECT_THAT(co_await pair.accepted->Receive(runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(co_await pair.dialed->Send(beat, runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(co_await pair.dialed->Receive(runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kCancelled));
}

TEST(TcpTransportTest, ReceiveExpiresStaysUsableAndSeesThePeerLeave) { RunOnSystem(&Deadlines); }

Awaitable<void> SlowReader(Runtime& runtime, Transport& transport) {
  Pair pair = co_await Connect(runtime, transport);
  Envelope welcome{.message = Welcome{}};
  EXPECT_THAT(co_await pair.dialed->Send(welcome, runtime.clock().Now() + 5s), IsOk());
  Envelope large{.message =
                     Request{1, PutEdits{BaseId(), {{EditId(), std::string(40 << 20, 'p')}}}}};
  auto first = std::make_shared<Status>();
  auto second = std::make_shared<Status>();
  const SteadyTime start = runtime.clock().Now();
  asio::co_spawn(runtime.executor(), pair.dialed->Send(large, start + 4s),
                 [first](std::exception_ptr, Status status) { *first = std::move(status); });
  asio::co_spawn(runtime.executor(), pair.dialed->Send(large, start + 2s),
                 [second](std::exception_ptr, Status status) { *second = std::move(status); });
  co_await Sleep(runtime, 1ms);
  EXPECT_THAT(co_await pair.dialed->Send(large, start + 2s),
              StatusIs(StatusCode::kResourceExhausted, "send_queue_full"));
  while (first->ok()) co_await Sleep(runtime, 50ms);
  EXPECT_THAT(*second, StatusIs(StatusCode::kDeadlineExceeded))
      << "it had not begun and is taken back";
  EXPECT_THAT(*first, StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(co_await pair.dialed->Send(welcome, runtime.clock().Now() + 1s),
              StatusIs(StatusCode::kUnavailable))
      << "it was cut within a frame";
}

TEST(TcpTransportTest, APeerThatDoesNotReadHitsTheBoundOfTheQueueAndTheDeadline) {
  RunOnSystem(&SlowReader);
}

Awaitable<void> RefusedDials(Runtime& runtime, Transport& transport) {
  auto listener = transport.Listen("127.0.0.1:0");
  const std::string address = (*listener)->address();
  EXPECT_THAT(transport.Listen(address), StatusIs(StatusCode::kUnavailable));
  (*listener)->Close();
  EXPECT_THAT(co_await (*listener)->Accept(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(co_await transport.Dial(address, runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(co_await transport.Dial("nonsense", runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(co_await transport.Dial("127.0.0.1:99999", runtime.clock().Now() + 5s),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(TcpTransportTest, DialsAndListensFailByName) { RunOnSystem(&RefusedDials); }

}  // namespace
}  // namespace emend::worker::protocol::tcp_transport_test
