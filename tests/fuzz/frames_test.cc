// Malformed bytes to a listening coordinator port: each connection ends clearly, and the next
// well-behaved peer is served.
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <thread>

#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"
#include "worker/protocol/connection.h"

namespace emend::worker::protocol::frames_test {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kMalformedStreams = 1500;

// A server that answers each Heartbeat with one, in a thread of its own.
class EchoServer {
 public:
  EchoServer() {
    listener_ = std::move(*transport_->Listen("127.0.0.1:0"));
    asio::post(runtime_->executor(), [this] { tasks_.Spawn("accept", AcceptAll()); });
    thread_ = std::thread([this] { runtime_->Run(); });
  }
  ~EchoServer() {
    asio::co_spawn(runtime_->executor(), End(), asio::detached);
    thread_.join();
  }
  std::string address() const { return listener_->address(); }
  tcp::endpoint endpoint() const {
    const std::string address = listener_->address();
    return {asio::ip::make_address("127.0.0.1"),
            static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)))};
  }

 private:
  Awaitable<Status> AcceptAll() {
    while (true) {
      auto connection = co_await listener_->Accept();
      if (!connection.ok()) co_return OkStatus();
      tasks_.Spawn("echo", Echo(*runtime_, *connection));
    }
  }
  static Awaitable<Status> Echo(Runtime& runtime, std::shared_ptr<Connection> connection) {
    while (true) {
      const auto envelope = co_await connection->Receive(runtime.clock().Now() + 2s);
      if (!envelope.ok()) break;
      if (!std::holds_alternative<Heartbeat>(envelope->message)) continue;
      Envelope answer{.message = Heartbeat{}};
      const Status sent = co_await connection->Send(std::move(answer), runtime.clock().Now() + 2s);
      if (!sent.ok()) break;
    }
    connection->Close();
    co_return OkStatus();
  }
  // The clients have closed their ends, so every task comes to its own.
  Awaitable<void> End() {
    listener_->Close();
    const bool ended = co_await tasks_.Join(runtime_->clock().Now() + 60s);
    EXPECT_TRUE(ended);
    runtime_->Stop();
  }

  std::unique_ptr<SystemRuntime> runtime_ = NewSystemRuntime(1);
  std::unique_ptr<Transport> transport_ = NewTcpTransport(*runtime_);
  std::unique_ptr<Listener> listener_;
  TaskGroup tasks_{*runtime_};
  std::thread thread_;
};

std::string Malformed(std::mt19937_64& random) {
  std::string wire;
  if (random() % 4 != 0) {
    wire = EncodeFrame({.store_epoch = random(),
                        .generation = random(),
                        .payload = EncodeMessage(RandomMessage(random))});
    for (std::uint64_t flips = 1 + random() % 6; flips > 0; --flips)
      wire[random() % std::min<std::size_t>(wire.size(), 64)] ^=
          static_cast<char>(1 << (random() % 8));
    if (random() % 3 == 0) wire.resize(random() % wire.size());
  } else {
    wire.resize(random() % 300);
    for (char& c : wire) c = static_cast<char>(random());
  }
  return wire;
}

// Sends the bytes, ends the stream, and waits until the server ends it too.
void SendAndWaitForTheEnd(const tcp::endpoint& endpoint, const std::string& bytes) {
  asio::io_context context;
  tcp::socket socket(context);
  socket.connect(endpoint);
  boost::system::error_code error;
  asio::write(socket, asio::buffer(bytes), error);
  socket.shutdown(tcp::socket::shutdown_send, error);
  std::array<char, 256> answer;
  error.clear();
  while (!error) socket.read_some(asio::buffer(answer), error);
  EXPECT_TRUE(error == asio::error::eof || error == asio::error::connection_reset)
      << error.message();
}

void ExpectServed(const tcp::endpoint& endpoint) {
  asio::io_context context;
  tcp::socket socket(context);
  socket.connect(endpoint);
  asio::write(socket, asio::buffer(EncodeFrame({.payload = EncodeMessage(Heartbeat{})})));
  FrameReader reader(FrameLimits{});
  std::array<char, 256> bytes;
  boost::system::error_code error;
  Result<std::optional<Frame>> frame = std::optional<Frame>();
  while (!error && frame.ok() && !frame->has_value()) {
    const std::size_t size = socket.read_some(asio::buffer(bytes), error);
    reader.Feed({bytes.data(), size});
    frame = reader.Next();
  }
  EXPECT_TRUE(frame.ok() && frame->has_value());
}

TEST(FramesFuzzTest, AListenerSurvivesMalformedStreams) {
  EchoServer server;
  std::mt19937_64 random(424242);
  for (int i = 0; i < kMalformedStreams; ++i) {
    SendAndWaitForTheEnd(server.endpoint(), Malformed(random));
    if (i % 100 == 0) ExpectServed(server.endpoint());
  }
  ExpectServed(server.endpoint());
}

}  // namespace
}  // namespace emend::worker::protocol::frames_test
