// One client's connection: reads requests, one after another, and writes their responses. The only
// file that knows Beast, with server.cc. Inside this folder only.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <memory>

#include "api/rest/dispatch.h"
#include "api/rest/server.h"

namespace emend::api::rest {

inline constexpr std::uint32_t kHeaderBytesMax = 8 * 1024;

struct Connection {
  explicit Connection(boost::asio::ip::tcp::socket socket) : stream(std::move(socket)) {}

  boost::beast::tcp_stream stream;
  boost::beast::flat_buffer buffer{2 * kHeaderBytesMax};
  bool unread = false;    // an answer was given while the client may still be sending
  bool ended = false;     // the client ended its sending: nothing is to be read any more
  bool is_spare = false;  // beside the connections that all share: one short request (server.h)
  bool idle = true;       // between requests: may be closed without anybody losing an answer
};

// Returns when the connection is over; never fails for what a client does.
Awaitable<Status> Serve(std::shared_ptr<Connection> connection, HandlerContext* context,
                        RestOptions options);

}  // namespace emend::api::rest
