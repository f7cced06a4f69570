#include "api/cli/text.h"
#include "api/cli/tries.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::status_verb {
namespace {

Result<int> Run(Session& session) {
  EMEND_ASSIGN_OR_RETURN(const Json repos, session.GetAll("/api/v1/repos"));
  EMEND_ASSIGN_OR_RETURN(const Json workers, session.GetAll("/api/v1/workers"));
  if (session.json()) {
    session.Print({{"repos", repos.value("items", Json::array())},
                   {"workers", workers.value("items", Json::array())}});
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"REPO", "MAIN", "BASE", "CREATED", "PRESET"}};
  for (const Json& repo : repos.value("items", Json::array())) {
    const Json preset = repo.value("preset", Json());
    rows.push_back({TextOf(repo, "repo"), ShortId(TextOf(repo, "head")),
                    ShortId(TextOf(repo, "base")), TextOf(repo, "created").substr(0, 19),
                    preset.is_object() ? RenderSettings(preset) : "-"});
  }
  session.out() << RenderTable(rows) << "\n";
  rows = {{"WORKER", "STATE", "DEVICE", "PID", "CALLS", "WEIGHTS", "STATES", "STATISTICS", "CACHE",
           "READ"}};
  for (const Json& worker : workers.value("items", Json::array())) {
    const Json memory = worker.value("memory", Json::object());
    rows.push_back({TextOf(worker, "worker"), TextOf(worker, "state"), TextOf(worker, "device"),
                    std::to_string(static_cast<long>(NumberOf(worker, "process_id"))),
                    std::to_string(static_cast<long>(NumberOf(worker, "calls"))),
                    RenderMebibytes(NumberOf(memory, "weights_bytes")),
                    RenderMebibytes(NumberOf(memory, "states_bytes")),
                    RenderMebibytes(NumberOf(memory, "statistics_bytes")),
                    RenderMebibytes(NumberOf(memory, "cache_bytes")),
                    RenderMebibytes(NumberOf(worker, "file_bytes_read"))});
  }
  session.out() << RenderTable(rows);
  return kExitOk;
}

}  // namespace

Verb Make() {
  return {.name = "status",
          .group = Group::kServe,
          .effect = Effect::kShowsServer,
          .summary = "repos with their heads, and workers",
          .document =
              "`{\"repos\": [{\"repo\", \"base\", \"head\", \"created\", \"preset\"}], "
              "\"workers\": […]}`; of a worker (a rank) with `memory`: "
              "`{\"weights_bytes\", \"states_bytes\", \"statistics_bytes\", \"cache_bytes\"}`, and "
              "`file_bytes_read` when it loaded the model",
          .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::status_verb
