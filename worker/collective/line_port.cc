#include "worker/collective/line_port.h"

#include <string>

namespace emend::worker::collective {

namespace asio = boost::asio;
using asio::ip::tcp;

LinePort::LinePort() : socket_(std::make_unique<Socket>()) {}
LinePort::~LinePort() = default;

Result<std::unique_ptr<LinePort>> LinePort::Open(const std::string& host) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error)
    return InvalidArgument("opening a port for collectives: found \"" + host +
                           "\", expected an address such as 127.0.0.1");
  std::unique_ptr<LinePort> port(new LinePort());
  tcp::acceptor& acceptor = port->socket_->acceptor;
  const tcp::endpoint endpoint(address, 0);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error)
    return Unavailable("opening a port for collectives on " + host + ": " + error.message());
  const std::string shown = address.is_v6() ? "[" + host + "]" : host;
  port->address_ = shown + ":" + std::to_string(acceptor.local_endpoint().port());
  return port;
}

}  // namespace emend::worker::collective
