// A Connection over a TCP socket. Internal to this folder; see connection.h.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "worker/protocol/connection.h"

namespace emend::worker::protocol {

// Takes a connected socket of the runtime's executor.
std::shared_ptr<Connection> NewTcpConnection(Runtime& runtime, boost::asio::ip::tcp::socket socket, std::string peer);

}  // namespace emend::worker::protocol
