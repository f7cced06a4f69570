#include "api/rest/server.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <list>
#include <set>

#include "api/rest/connection.h"
#include "api/rest/description.h"
#include "storage/base/log.h"

namespace emend::api::rest {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: "
    "application/problem+json\r\nContent-Length: 149\r\n\r\n"
    R"({"type":"about:blank","title":"Too many connections","status":503,"code":"too_many_connections","category":"resource_exhausted","detail":"try later"})";

Result<tcp::endpoint> ParseAddress(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string digits = colon == std::string::npos ? std::string() : address.substr(colon + 1);
  error_code error;
  const asio::ip::address ip = asio::ip::make_address(host, error);
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error || digits.empty() || fault != std::errc() || end != digits.data() + digits.size()) {
    return InvalidArgument("listening for REST: found the address \"" + address +
                           "\", expected one such as 127.0.0.1:8321 or [::1]:8321");
  }
  return tcp::endpoint(ip, port);
}

class RestServerImpl final : public RestServer {
 public:
  RestServerImpl(Runtime& runtime, HandlerContext context, RestOptions options)
      : runtime_(runtime),
        options_(std::move(options)),
        context_(std::move(context)),
        acceptor_(runtime.executor()),
        tasks_(runtime) {
    context_.runtime = &runtime;
    context_.version = EMEND_VERSION;
  }

  Status Start() override {
    EMEND_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseAddress(options_.address));
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return {StatusCode::kUnavailable,
              error == asio::error::address_in_use ? "address_in_use" : "unavailable",
              "listening for REST on " + options_.address + ": " + error.message() +
                  "; choose another port with --listen, or 0 for a free one"};
    }
    const tcp::endpoint bound = acceptor_.local_endpoint(error);
    const std::string host = bound.address().is_v6() ? "[" + bound.address().to_string() + "]"
                                                     : bound.address().to_string();
    url_ = "http://" + host + ":" + std::to_string(bound.port());
    tasks_.Spawn("rest_accept", Accept(this));
    return OkStatus();
  }

  Awaitable<void> Stop() override {
    context_.stopping = true;
    error_code error;
    acceptor_.close(error);
    for (const auto& connection : connections_) {
      if (connection->idle) connection->stream.socket().shutdown(tcp::socket::shutdown_both, error);
    }
    const bool ended = co_await tasks_.Join(runtime_.clock().Now() + options_.stop_timeout);
    if (ended) co_return;
    for (const auto& connection : connections_) connection->stream.close();
    // What is left are handlers, which the service ends on its own deadlines.
    co_await tasks_.Join(SteadyTime::max());
  }

  const std::string& url() const override { return url_; }

 private:
  static Awaitable<Status> Accept(RestServerImpl* self) {
    while (!self->context_.stopping) {
      error_code error;
      tcp::socket socket =
          co_await self->acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        self->Admit(std::move(socket));
      } else if (!self->context_.stopping) {
        // Out of file descriptors, most likely: wait for some to be given back instead of spinning.
        LogWarning("accept_failed", {{"error", error.message()}});
        co_await Sleep(self->runtime_, std::chrono::milliseconds(100));
      }
    }
    co_return OkStatus();
  }

  void Admit(tcp::socket socket) {
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    auto connection = std::make_shared<Connection>(std::move(socket));
    connection->is_spare = connections_.size() - spare_.size() >= options_.connections_max;
    if (connection->is_spare && !MakeRoom()) {
      connection->stream.socket().non_blocking(true, error);
      connection->stream.socket().write_some(asio::buffer(kTooMany), error);
      return;
    }
    if (connection->is_spare) spare_.push_back(connection);
    connections_.insert(connection);
    tasks_.Spawn("rest_connection", Run(this, std::move(connection)));
  }

  // For another spare connection: the oldest that has sent nothing whole yet is closed.
  bool MakeRoom() {
    if (spare_.size() < options_.spare_connections) return true;
    const auto silent =
        std::ranges::find_if(spare_, [](const auto& connection) { return connection->idle; });
    if (silent == spare_.end()) return false;
    (*silent)->stream.close();
    connections_.erase(*silent);
    spare_.erase(silent);
    return true;
  }

  static Awaitable<Status> Run(RestServerImpl* self, std::shared_ptr<Connection> connection) {
    const Status status = co_await Serve(connection, &self->context_, self->options_);
    self->connections_.erase(connection);
    std::erase(self->spare_, connection);
    co_return status;
  }

  Runtime& runtime_;
  const RestOptions options_;
  HandlerContext context_;
  tcp::acceptor acceptor_;
  std::string url_;
  std::set<std::shared_ptr<Connection>> connections_;  // those being served
  std::list<std::shared_ptr<Connection>> spare_;       // of these, oldest first
  TaskGroup tasks_;
};

}  // namespace

std::unique_ptr<RestServer> NewRestServer(Runtime& runtime, coordinator::server::Service& service,
                                          RestOptions options) {
  HandlerContext context;
  context.routes = &Routes();
  context.answers = &service;
  context.service = &service;
  context.openapi_json = DescriptionOf(Routes());
  return std::make_unique<RestServerImpl>(runtime, std::move(context), std::move(options));
}

std::unique_ptr<RestServer> NewAnswerServer(Runtime& runtime,
                                            coordinator::answers::AnswerService& service,
                                            RestOptions options) {
  HandlerContext context;
  context.routes = &AnswerRoutes();
  context.answers = &service;
  context.openapi_json = DescriptionOf(AnswerRoutes());
  return std::make_unique<RestServerImpl>(runtime, std::move(context), std::move(options));
}

}  // namespace emend::api::rest
