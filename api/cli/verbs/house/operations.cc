#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::operations_verb {
namespace {

struct Options {
  std::string list;
  std::uint64_t count = 20;
};

// "accepted, 3 before it" while it waits.
std::string StateOf(const Json& operation) {
  const bool waits = operation.contains("position") && operation["position"].is_number();
  return TextOf(operation, "state") +
         (waits ? ", " + operation["position"].dump() + " before it" : "");
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json page, session.GetPages("/api/v1/operations", options.count));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {
      {"OPERATION", "KIND", "REPO", "STATE", "PRIORITY", "ACCEPTED", "ERROR"}};
  for (const Json& operation : page.value("items", Json::array())) {
    rows.push_back({TextOf(operation, "id"), TextOf(operation, "kind"), TextOf(operation, "repo"),
                    StateOf(operation), TextOf(operation, "priority"),
                    TextOf(operation, "accepted").substr(0, 19),
                    TextOf(operation.value("error", Json()), "code")});
  }
  session.out() << RenderTable(rows);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "list", .choices = {"list"}, .into = &options.list});
  arguments.Add({.names = "-n",
                 .value = "N",
                 .help = "how many",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
}

}  // namespace

Verb Make() {
  return {.name = "operations",
          .group = Group::kHouse,
          .summary = "list long work, newest first",
          .document = "`{\"items\": […], \"next\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::operations_verb
