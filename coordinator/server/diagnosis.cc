#include "coordinator/server/diagnosis.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

namespace emend::coordinator::server {
namespace {

using membership::WorkerInfo;
using membership::WorkerState;
using worker::protocol::ProbeAdvice;
using worker::protocol::ProbeRanksReply;

constexpr std::chrono::seconds kProbeTimeout{30};
constexpr std::uint64_t kDiskFreeMin = std::uint64_t{1} << 30;

// One group's answer, shared with the coroutine that waits for it.
struct Asked {
  std::string group;
  WorkerId worker;
  Result<worker::protocol::ReplyBody> reply = Unavailable("it was not asked");
};

Awaitable<Status> Ask(membership::WorkerPool* workers, std::shared_ptr<Asked> asked) {
  worker::protocol::RequestBody request = worker::protocol::ProbeRanks{};
  membership::CallOptions options{.worker = asked->worker, .timeout = kProbeTimeout};
  asked->reply = co_await workers->Call(std::move(request), std::move(options));
  co_return OkStatus();
}

GroupDiagnosis DiagnosisOf(Asked& asked) {
  GroupDiagnosis diagnosis{.group = asked.group, .probe = {}};
  if (auto* probe = asked.reply.ok() ? std::get_if<ProbeRanksReply>(&*asked.reply) : nullptr) {
    diagnosis.probe = std::move(*probe);
    return diagnosis;
  }
  diagnosis.probe.advice.push_back(
      {.severity = "error",
       .code = "no_answer",
       .found =
           "group " + asked.group + " did not say how it is: " + asked.reply.status().message(),
       .expected = "an answer within " + std::to_string(kProbeTimeout.count()) + " s",
       .action = "look into the worker's log"});
  return diagnosis;
}

std::uint64_t FreeBytes(const std::string& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? 0 : static_cast<std::uint64_t>(space.available);
}

void AdviseOnGroups(const std::vector<WorkerInfo>& workers, std::vector<ProbeAdvice>& advice) {
  struct Group {
    std::int32_t there = 0;
    std::int32_t size = 1;
    bool serves = false;
  };
  std::map<std::string, Group> groups;
  for (const WorkerInfo& worker : workers) {
    Group& group = groups[worker.group];
    group.there += worker.state == WorkerState::kConnected ? 1 : 0;
    group.size = std::max(group.size, worker.world_size);
    group.serves = group.serves || worker.serves;
  }
  for (const auto& [name, group] : groups) {
    if (group.size == 1 || group.serves) continue;
    const std::string size = std::to_string(group.size);
    if (group.there < group.size) {
      advice.push_back({.severity = "error",
                        .code = "group_incomplete",
                        .found = "group " + name + " has " + std::to_string(group.there) + " of " +
                                 size + " ranks connected",
                        .expected = "all of them: a group serves only whole",
                        .action = "start the missing ranks, or look into their logs (dial_failed, "
                                  "conversation_ended)"});
    } else {
      advice.push_back(
          {.severity = "error",
           .code = "group_not_formed",
           .found = "group " + name + " has all of its " + size + " ranks, and does not serve",
           .expected = "ranks that reach each other within seconds",
           .action = "ask again in a moment; else look for group_not_formed in emendd's log, and "
                     "check each rank's --host"});
    }
  }
}

}  // namespace

std::vector<ProbeAdvice> AdviseOnWorkers(const std::vector<WorkerInfo>& workers,
                                         std::uint64_t disk_free_bytes) {
  std::vector<ProbeAdvice> advice;
  if (membership::Serving(workers).empty()) {
    advice.push_back({.severity = "error",
                      .code = "no_worker",
                      .found = "no worker serves",
                      .expected = "one at least: commits, evaluations and answers wait for it",
                      .action = "emend up --workers 1 on a store that is down, or start "
                                "emend-worker with --coordinator"});
  }
  AdviseOnGroups(workers, advice);
  if (disk_free_bytes < kDiskFreeMin) {
    advice.push_back(
        {.severity = "warning",
         .code = "disk_full",
         .found = std::to_string(disk_free_bytes >> 20) + " MiB are free where the store lies",
         .expected = "1024 MiB at least: a commit that finds no room is refused",
         .action = "free some room, or move the store to a larger disk"});
  }
  return advice;
}

Awaitable<Diagnosis> Diagnose(Runtime& runtime, membership::WorkerPool& workers,
                              const core::StoreLayout& layout) {
  std::vector<std::shared_ptr<Asked>> asked;
  TaskGroup asking(runtime);
  for (const WorkerInfo& worker : membership::Serving(workers.Workers())) {
    asked.push_back(std::make_shared<Asked>(Asked{.group = worker.group, .worker = worker.worker}));
    asking.Spawn("probe_group", Ask(&workers, asked.back()));
  }
  // A call ends by its own deadline.
  const SteadyTime deadline = runtime.clock().Now() + 2 * kProbeTimeout;
  co_await asking.Join(deadline);
  Diagnosis diagnosis;
  const auto measure = [&layout]() -> Result<std::uint64_t> { return FreeBytes(layout.folder); };
  const Result<std::uint64_t> disk_free = co_await Blocking(runtime, measure);
  diagnosis.disk_free_bytes = disk_free.ok() ? *disk_free : 0;
  diagnosis.advice = AdviseOnWorkers(workers.Workers(), diagnosis.disk_free_bytes);
  for (const auto& each : asked) diagnosis.groups.push_back(DiagnosisOf(*each));
  co_return diagnosis;
}

}  // namespace emend::coordinator::server
