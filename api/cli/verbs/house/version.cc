#include "api/cli/verb.h"

namespace emend::api::cli::verbs::version_verb {
namespace {

Result<int> Run(Session& session) {
  const Result<Json> server = session.Get("/api/v1/version");
  const std::string server_version = server.ok() ? TextOf(*server, "version") : "";
  if (session.json()) {
    session.Print(
        {{"version", EMEND_VERSION}, {"server", server.ok() ? Json(server_version) : Json()}});
    return kExitOk;
  }
  session.out() << "emend " << EMEND_VERSION << "\n";
  session.out() << (server.ok() ? "server " + server_version : "no server answers") << "\n";
  return kExitOk;
}

}  // namespace

Verb Make() {
  return {.name = "version",
          .group = Group::kHouse,
          .summary = "versions of this program and of the server",
          .document = "`{\"version\", \"server\"}`",
          .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::version_verb
