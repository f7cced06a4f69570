#include <algorithm>

#include "api/rest/handler.h"

// A row for each file of this folder that defines a std::vector<Route> <name>Routes(), in order of
// precedence.
// clang-format off
#define EMEND_RESOURCES(ROW) \
  ROW(Server) \
  ROW(Repo) \
  ROW(Commit) \
  ROW(Diff) \
  ROW(Fact) \
  ROW(Ref) \
  ROW(Protection) \
  ROW(Proposal) \
  ROW(Probe) \
  ROW(Ask) \
  ROW(Submission) \
  ROW(Statistics) \
  ROW(Preset) \
  ROW(Operation) \
  ROW(Audit) \
  ROW(Completion) \
  ROW(Diagnosis) \
  ROW(Worker) \
  ROW(Token)
// clang-format on

namespace emend::api::rest {
#define EMEND_DECLARE(name) std::vector<Route> name##Routes();
EMEND_RESOURCES(EMEND_DECLARE)
#undef EMEND_DECLARE

const std::vector<Route>& Routes() {
  static const std::vector<Route> kRoutes = [] {
    std::vector<Route> routes;
#define EMEND_ADD(name) std::ranges::move(name##Routes(), std::back_inserter(routes));
    EMEND_RESOURCES(EMEND_ADD)
#undef EMEND_ADD
    return routes;
  }();
  return kRoutes;
}

const std::vector<Route>& AnswerRoutes() {
  static const std::vector<Route> kAnswerRoutes = [] {
    std::vector<Route> routes = Routes();
    std::erase_if(routes, [](const Route& route) { return !route.is_answering; });
    return routes;
  }();
  return kAnswerRoutes;
}

}  // namespace emend::api::rest
