#include "api/cli/verb.h"
#include "api/daemon/launch.h"

namespace emend::api::cli::verbs::down_verb {
namespace {

// Operations that wait or run; 0 if the server does not say.
long CountUnfinished(Session& session) {
  const Result<Json> page = session.Get("/api/v1/operations?limit=1000");
  if (!page.ok()) return 0;
  long unfinished = 0;
  for (const Json& operation : page->value("items", Json::array())) {
    const std::string state = TextOf(operation, "state");
    if (state == "accepted" || state == "running") ++unfinished;
  }
  return unfinished;
}

Result<int> Run(Session& session) {
  const Result<std::string> named = session.NamedStore();
  const std::string store = named.ok() ? *named : session.RememberedStore();
  if (store.empty()) return named.status();
  const long unfinished = CountUnfinished(session);
  EMEND_RETURN_IF_ERROR(daemon::Shutdown(store, std::chrono::seconds(60)));
  if (session.json()) {
    session.Print({{"store", store}, {"stopped", true}, {"unfinished", unfinished}});
    return kExitOk;
  }
  session.out() << "emendd on " << store << " has stopped\n";
  if (unfinished > 0)
    session.out() << unfinished << (unfinished == 1 ? " operation goes" : " operations go")
                  << " on at the next `emend up`\n";
  return kExitOk;
}

}  // namespace

Verb Make() {
  return {.name = "down",
          .group = Group::kServe,
          .summary = "stop the emendd of a store and wait until it is gone",
          .document =
              "`{\"store\", \"stopped\", \"unfinished\"}`: operations that go on at the next `up`",
          .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::down_verb
