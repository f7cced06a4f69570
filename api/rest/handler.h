// What handlers work on. Inside this folder only.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "api/rest/message.h"
#include "api/rest/route.h"
#include "coordinator/server/service.h"

namespace emend::api::rest {

// Event streams under way, which last as long as their clients like: fewer than there are
// connections, and of one token fewer again, so that neither takes the place of all else.
struct StreamCount {
  std::size_t all = 0;
  std::map<std::string, std::size_t> of_token;
};

struct HandlerContext {
  const std::vector<Route>* routes = nullptr;
  coordinator::answers::AnswerService* answers = nullptr;
  coordinator::server::Service* service = nullptr;  // of the routes beyond AnswerRoutes(), or null
  Runtime* runtime = nullptr;
  std::string_view version;
  std::string openapi_json;
  StreamCount streams;
  bool has_spare_guest = false;  // somebody with a token has a spare connection (server.h)
  bool stopping = false;         // waits end soon after it was set
};

}  // namespace emend::api::rest
