// The socket behind a LinePort. Internal to worker/collective.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "worker/collective/line.h"

namespace emend::worker::collective {

struct LinePort::Socket {
  boost::asio::io_context context{1};
  boost::asio::ip::tcp::acceptor acceptor{context};
};

}  // namespace emend::worker::collective
