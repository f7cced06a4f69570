#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "worker/protocol/connection.h"
#include "worker/protocol/stream_connection.h"
#include "worker/protocol/tls.h"

namespace emend::worker::protocol {
namespace {

using asio::ip::tcp;

struct HostPort {
  std::string host;
  std::string port;
};

// "host:port" or "[::1]:port".
Result<HostPort> SplitAddress(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  HostPort split;
  if (colon != std::string::npos) {
    split = {.host = address.substr(0, colon), .port = address.substr(colon + 1)};
    if (split.host.size() > 2 && split.host.front() == '[' && split.host.back() == ']')
      split.host = split.host.substr(1, split.host.size() - 2);
  }
  const bool numeric = !split.port.empty() && split.port.size() <= 5 &&
                       split.port.find_first_not_of("0123456789") == std::string::npos;
  if (split.host.empty() || !numeric || std::stoul(split.port) > 65535) {
    return InvalidArgument("reading the address \"" + address +
                           "\": expected HOST:PORT, such as 127.0.0.1:7070");
  }
  return split;
}

std::string ShowEndpoint(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

Status CouldNot(const std::string& what, const std::string& address, const error_code& error) {
  return Unavailable(what + " " + address + ": " + error.message());
}

// Child processes must not keep a connection open after this process died.
void CloseOnExec(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

void Prepare(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const unsigned int unacknowledged_ms = 10'000;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
               sizeof unacknowledged_ms);
  CloseOnExec(socket.native_handle());
}

// How connected sockets become connections: as they are, or with TLS.
class Wrapper {
 public:
  Wrapper(Runtime& runtime, std::optional<TlsIdentity> tls)
      : runtime_(runtime), tls_(std::move(tls)) {}

  std::shared_ptr<Connection> Accepted(tcp::socket socket, std::string peer) {
    if (tls_) return AcceptTls(runtime_, *tls_, std::move(socket), std::move(peer));
    return Plain(std::move(socket), std::move(peer));
  }
  std::shared_ptr<Connection> Dialed(tcp::socket socket, std::string peer,
                                     const std::string& host) {
    if (tls_) return DialTls(runtime_, *tls_, std::move(socket), std::move(peer), host);
    return Plain(std::move(socket), std::move(peer));
  }

 private:
  std::shared_ptr<Connection> Plain(tcp::socket socket, std::string peer) {
    return std::make_shared<StreamConnection<tcp::socket>>(runtime_, std::move(socket),
                                                           std::move(peer));
  }
  Runtime& runtime_;
  std::optional<TlsIdentity> tls_;
};

class TcpListener final : public Listener {
 public:
  TcpListener(Runtime& runtime, std::shared_ptr<Wrapper> wrapper, tcp::acceptor acceptor,
              std::string address)
      : runtime_(runtime),
        wrapper_(std::move(wrapper)),
        acceptor_(std::move(acceptor)),
        address_(std::move(address)) {}

  Awaitable<Result<std::shared_ptr<Connection>>> Accept() override {
    tcp::socket socket(runtime_.executor());
    error_code error;
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (!acceptor_.is_open())
      co_return Status(StatusCode::kCancelled,
                       "accepting on " + address_ + ": the listener was closed");
    if (error) co_return CouldNot("accepting on", address_, error);
    Prepare(socket);
    const tcp::endpoint remote = socket.remote_endpoint(error);
    co_return wrapper_->Accepted(std::move(socket), error ? "unknown" : ShowEndpoint(remote));
  }

  void Close() override {
    error_code ignored;
    acceptor_.close(ignored);
  }

  std::string address() const override { return address_; }

 private:
  Runtime& runtime_;
  const std::shared_ptr<Wrapper> wrapper_;
  tcp::acceptor acceptor_;
  const std::string address_;
};

class TcpTransport final : public Transport {
 public:
  TcpTransport(Runtime& runtime, std::optional<TlsIdentity> tls)
      : runtime_(runtime), wrapper_(std::make_shared<Wrapper>(runtime, std::move(tls))) {}

  Result<std::unique_ptr<Listener>> Listen(const std::string& address) override {
    EMEND_ASSIGN_OR_RETURN(const HostPort split, SplitAddress(address));
    error_code error;
    const auto host = asio::ip::make_address(split.host, error);
    if (error)
      return InvalidArgument("listening on " + address +
                             ": the host must be an IP address, such as 127.0.0.1");
    const tcp::endpoint endpoint(host, static_cast<std::uint16_t>(std::stoul(split.port)));
    tcp::acceptor acceptor(runtime_.executor());
    acceptor.open(endpoint.protocol(), error);
    if (!error) CloseOnExec(acceptor.native_handle());
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    const tcp::endpoint local = error ? endpoint : acceptor.local_endpoint(error);
    if (error) return CouldNot("listening on", address, error);
    return std::unique_ptr<Listener>(std::make_unique<TcpListener>(
        runtime_, wrapper_, std::move(acceptor), ShowEndpoint(local)));
  }

  Awaitable<Result<std::shared_ptr<Connection>>> Dial(std::string address,
                                                      SteadyTime deadline) override {
    EMEND_CO_ASSIGN_OR_RETURN(const HostPort split, SplitAddress(address));
    auto attempt = std::make_shared<Attempt>(runtime_.executor());
    const Runtime::TimerId timer = runtime_.ScheduleAt(deadline, [attempt] { attempt->GiveUp(); });
    error_code error;
    const auto found = co_await attempt->resolver.async_resolve(
        split.host, split.port, asio::redirect_error(asio::use_awaitable, error));
    for (const auto& entry : found) {
      if (attempt->expired) break;
      attempt->socket.close(error);
      co_await attempt->socket.async_connect(entry.endpoint(),
                                             asio::redirect_error(asio::use_awaitable, error));
      if (!error) break;
    }
    runtime_.CancelTimer(timer);
    if (attempt->expired)
      co_return Status(StatusCode::kDeadlineExceeded,
                       "dialing " + address + ": no answer by the deadline");
    if (error) co_return CouldNot("dialing", address, error);
    Prepare(attempt->socket);
    co_return wrapper_->Dialed(std::move(attempt->socket), address, split.host);
  }

 private:
  struct Attempt {
    explicit Attempt(const asio::any_io_executor& executor)
        : resolver(executor), socket(executor) {}
    void GiveUp() {
      expired = true;
      resolver.cancel();
      error_code ignored;
      socket.close(ignored);
    }
    tcp::resolver resolver;
    tcp::socket socket;
    bool expired = false;
  };

  Runtime& runtime_;
  const std::shared_ptr<Wrapper> wrapper_;
};

}  // namespace

std::unique_ptr<Transport> NewTcpTransport(Runtime& runtime) {
  return std::make_unique<TcpTransport>(runtime, std::nullopt);
}

Result<std::unique_ptr<Transport>> NewTlsTransport(Runtime& runtime, TlsFiles files) {
  EMEND_ASSIGN_OR_RETURN(TlsIdentity identity, TlsIdentity::Load(std::move(files)));
  return std::unique_ptr<Transport>(std::make_unique<TcpTransport>(runtime, std::move(identity)));
}

}  // namespace emend::worker::protocol
