#include "api/daemon/supervisor.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "storage/base/log.h"

extern char** environ;

namespace emend::api::daemon {
namespace {

using namespace std::chrono_literals;

constexpr auto kPollPeriod = 100ms;
constexpr std::chrono::milliseconds kWaitMin = 100ms;
constexpr std::chrono::milliseconds kWaitMax = 5s;
constexpr auto kHealthyAfter = 60s;
constexpr auto kTermGrace = 5s;
constexpr auto kLostGrace = 2s;

struct Child {
  int index = 0;
  pid_t pid = 0;  // 0: not running
  SteadyTime started;
  SteadyTime start_at;
  std::optional<SteadyTime> lost_since;  // its connection, while it runs
  std::chrono::milliseconds wait = kWaitMin;
};

// libtorch's OpenMP threads spin between parallel regions unless told not to, which starves
// heartbeats and other workers on a busy machine. It reads this when it is loaded, so it must be
// there before the worker starts. Whoever sets it outside has the last word.
std::vector<std::string> WorkerEnvironment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const bool is_set = std::ranges::any_of(
      environment, [](const std::string& entry) { return entry.starts_with("OMP_WAIT_POLICY="); });
  if (!is_set) environment.emplace_back("OMP_WAIT_POLICY=PASSIVE");
  return environment;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Child processes see nothing of ours but standard streams: every other descriptor is closed on the
// way.
Result<pid_t> Spawn(const std::vector<std::string>& arguments) {
  const std::vector<std::string> environment = WorkerEnvironment();
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return NotFound("starting \"" + arguments[0] + "\": no such program");
  if (error != 0) return Unavailable("starting \"" + arguments[0] + "\": " + std::strerror(error));
  return pid;
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

class SupervisorImpl final : public Supervisor {
 public:
  SupervisorImpl(Runtime& runtime, SupervisorOptions options)
      : runtime_(runtime), options_(std::move(options)), tasks_(runtime) {}

  Status Start() override {
    if (access(options_.program.c_str(), X_OK) != 0)
      return NotFound("starting workers: there is no program \"" + options_.program + "\"");
    for (int i = 0; i < options_.workers * options_.ranks; ++i) {
      children_.emplace_back().index = i;
      EMEND_RETURN_IF_ERROR(StartChild(children_.back()));
    }
    tasks_.Spawn("supervisor", Watch());
    return OkStatus();
  }

  Awaitable<void> Stop() override {
    stopping_ = true;
    for (const Child& child : children_) {
      if (child.pid != 0) kill(child.pid, SIGTERM);
    }
    const SteadyTime patience = runtime_.clock().Now() + kTermGrace;
    while (!process_ids().empty() && runtime_.clock().Now() < patience) {
      Reap();
      co_await Sleep(runtime_, kPollPeriod / 2);
    }
    for (Child& child : children_) {
      if (child.pid == 0) continue;
      kill(child.pid, SIGKILL);
      waitpid(child.pid, nullptr, 0);
      child.pid = 0;
    }
    co_await tasks_.Join(runtime_.clock().Now() + kTermGrace);
  }

  std::vector<std::uint64_t> process_ids() const override {
    std::vector<std::uint64_t> ids;
    for (const Child& child : children_) {
      if (child.pid != 0) ids.push_back(static_cast<std::uint64_t>(child.pid));
    }
    return ids;
  }

 private:
  // "0", or "0.1" for rank 1 of several.
  std::string NameOf(const Child& child) const {
    const std::string group = std::to_string(child.index / options_.ranks);
    return options_.ranks == 1 ? group : group + "." + std::to_string(child.index % options_.ranks);
  }

  Status StartChild(Child& child) {
    const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    const int processes = std::max(1, options_.workers * options_.ranks);
    const int threads = options_.threads > 0 ? options_.threads : std::max(1, cores / processes);
    const std::string group = std::to_string(child.index / options_.ranks),
                      rank = std::to_string(child.index % options_.ranks);
    const std::string name = NameOf(child);
    EMEND_ASSIGN_OR_RETURN(
        child.pid,
        Spawn({options_.program, "--coordinator", options_.coordinator, "--token-file",
               options_.token_file, "--name", "w" + name, "--group", "g" + group, "--rank", rank,
               "--world-size", std::to_string(options_.ranks), "--threads", std::to_string(threads),
               "--log", options_.log_folder + "/worker-" + name + ".log", "--embedded"}));
    child.started = runtime_.clock().Now();
    LogInfo("worker_started", {{"worker", "w" + name}, {"pid", child.pid}});
    return OkStatus();
  }

  // Collects those that ended and sets when they are started again.
  void Reap() {
    const SteadyTime now = runtime_.clock().Now();
    for (Child& child : children_) {
      int status = 0;
      if (child.pid == 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) continue;
      if (!stopping_)
        LogWarning(
            "worker_exited",
            {{"worker", "w" + NameOf(child)}, {"pid", child.pid}, {"how", HowItEnded(status)}});
      child.pid = 0;
      if (now - child.started > kHealthyAfter) child.wait = kWaitMin;
      child.start_at = now + child.wait;
      child.wait = std::min(child.wait * 2, kWaitMax);
    }
  }

  void KillLost() {
    if (!options_.lost_processes) return;
    const std::vector<std::uint64_t> lost = options_.lost_processes();
    const SteadyTime now = runtime_.clock().Now();
    for (Child& child : children_) {
      if (child.pid == 0 ||
          std::ranges::find(lost, static_cast<std::uint64_t>(child.pid)) == lost.end()) {
        child.lost_since.reset();
      } else if (!child.lost_since) {
        child.lost_since = now;
      } else if (now - *child.lost_since > kLostGrace) {
        LogWarning("worker_killed", {{"worker", "w" + NameOf(child)}, {"pid", child.pid}});
        kill(child.pid, SIGKILL);
      }
    }
  }

  Awaitable<Status> Watch() {
    while (!stopping_) {
      Reap();
      KillLost();
      for (Child& child : children_) {
        if (child.pid != 0 || runtime_.clock().Now() < child.start_at) continue;
        if (const Status started = StartChild(child); !started.ok()) {
          LogError("worker_not_started", {{"status", started}});
          child.start_at = runtime_.clock().Now() + kWaitMax;
        }
      }
      co_await Sleep(runtime_, kPollPeriod);
    }
    co_return OkStatus();
  }

  // Constant after construction.
  Runtime& runtime_;
  const SupervisorOptions options_;
  // Owned by the executor.
  std::vector<Child> children_;
  TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<Supervisor> NewSupervisor(Runtime& runtime, SupervisorOptions options) {
  return std::make_unique<SupervisorImpl>(runtime, std::move(options));
}

}  // namespace emend::api::daemon
