// From a request's head to its handler: route, token, scope, parameters and body bounds, in this
// order, before a byte of the body is read. Inside this folder only.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

#include "api/rest/handler.h"

namespace emend::api::rest {

struct Head {
  std::string method;
  std::string target;
  HeaderMap headers;
};

struct Admission {
  Request request;  // without its body
  std::size_t body_bytes_max = 0;
  bool expects_continue = false;
};

// Either the request may go on, or this is its answer.
Awaitable<std::variant<Admission, Response>> Admit(HandlerContext* context, Head head);
// Runs the handler. Every failure becomes a problem document, an escaped exception a logged
// internal error.
Awaitable<Response> Handle(HandlerContext* context, Request request);

}  // namespace emend::api::rest
