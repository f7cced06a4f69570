// RestServer: a Service, or an AnswerService alone, on the wire. HTTP/1.1 by Boost.Beast, bearer
// tokens, JSON, RFC 9457 problems; route.h says what a route is.
//
//   auto server = NewRestServer(runtime, service, {.address = "127.0.0.1:8321"});
//   EMEND_RETURN_IF_ERROR(server->Start());
//   LogInfo("listening", {{"url", server->url()}});
//   ...
//   co_await server->Stop();
//
// Bounds, all cut with a clear answer where there is someone to answer: header 8 KiB, bodies as the
// route says (1 MiB, bulk 64 MiB), 256 connections, one request at a time on each, 10 s for a
// header (idle included), 60 s for a body, 30 s for the client to take a response; 192 event
// streams, 64 of one token. What a body holds is not looked at before the token is.
//
// When all connections are taken a few spare ones answer one request each: of those that need no
// token (probes), and of one client at a time that has one and neither waits nor streams (the
// command line). Of spare connections that have sent nothing yet the oldest gives way to the next,
// so that none can be held. Used on the runtime's executor only; `runtime` and
// `service` must outlive it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "coordinator/server/service.h"
#include "storage/base/runtime.h"

namespace emend::api::rest {

struct RestOptions {
  std::string address = "127.0.0.1:0";  // port 0: the system chooses
  std::size_t connections_max = 256;
  std::size_t spare_connections = 8;  // beside them
  std::size_t streams_max = 192;
  std::size_t streams_of_token_max = 64;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds stop_timeout{5'000};  // for requests under way, when stopping
};

class RestServer {
 public:
  virtual ~RestServer() = default;
  // kInvalidArgument for an address that is none, kUnavailable ("address_in_use") if it cannot be
  // bound. Does not wait.
  virtual Status Start() = 0;
  // Closes idle connections, lets requests under way end until the stop timeout, then cuts them;
  // returns when all are gone. Waits of clients end at once.
  virtual Awaitable<void> Stop() = 0;
  // "http://127.0.0.1:41234". REQUIRES: started.
  virtual const std::string& url() const = 0;
};

std::unique_ptr<RestServer> NewRestServer(Runtime& runtime, coordinator::server::Service& service,
                                          RestOptions options);
// The routes of answers alone, and /openapi.json cut down to them.
std::unique_ptr<RestServer> NewAnswerServer(Runtime& runtime,
                                            coordinator::answers::AnswerService& service,
                                            RestOptions options);

}  // namespace emend::api::rest
