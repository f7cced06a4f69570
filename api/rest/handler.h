// What handlers work on. Inside this folder only.
#pragma once

#include <string>
#include <string_view>

#include "api/rest/message.h"
#include "api/rest/route.h"
#include "coordinator/server/service.h"

namespace emend::api::rest {

struct HandlerContext {
  const std::vector<Route>* routes = nullptr;
  coordinator::answers::AnswerService* answers = nullptr;
  coordinator::server::Service* service = nullptr;  // of the routes beyond AnswerRoutes(), or null
  Runtime* runtime = nullptr;
  std::string_view version;
  std::string openapi_json;
  bool stopping = false;  // waits end soon after it was set
};

}  // namespace emend::api::rest
