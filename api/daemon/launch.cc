#include "api/daemon/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "api/program/exit_code.h"
#include "storage/base/file_system.h"

extern char** environ;

namespace emend::api::daemon {
namespace {

constexpr std::chrono::milliseconds kPoll{50};
constexpr std::size_t kLogTailBytes = 2000;

std::uint64_t LogSize(const std::string& store) {
  PosixFileSystem files;
  const Result<std::uint64_t> size = files.Size(store + "/emendd.log");
  return size.ok() ? *size : 0;
}

// What was logged since it had `begin` bytes, the end of it.
std::string LogTail(const std::string& store, std::uint64_t begin) {
  PosixFileSystem files;
  const Result<std::string> text = files.Read(store + "/emendd.log");
  if (!text.ok()) return "";
  const std::size_t written = text->size() - std::min<std::size_t>(text->size(), begin);
  return text->substr(text->size() - std::min(written, kLogTailBytes));
}

std::string WhatTheLogSays(const std::string& store, std::uint64_t begin) {
  const std::string tail = LogTail(store, begin);
  if (!tail.empty()) return "What " + store + "/emendd.log says:\n" + tail;
  const Result<std::uint64_t> free_bytes = PosixFileSystem().FreeBytes(store);
  return "It could not even log why" +
         (free_bytes.ok() ? "; " + std::to_string(*free_bytes) + " bytes are free on its disk"
                          : std::string());
}

Result<pid_t> Spawn(const LaunchOptions& options) {
  std::vector<std::string> words = {options.program, "--store", options.store};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string log = options.store + "/emendd.log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, kPrivateMode);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A session of its own: a Ctrl-C or a closed terminal does not reach it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, options.program.c_str(), &actions, &attributes, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return NotFound("starting " + options.program + ": " + std::strerror(error) +
                    "; emendd is expected beside emend");
  return pid;
}

// A daemon's exit code says what kind of failure it was.
StatusCode CodeOf(int wait_status) {
  if (!WIFEXITED(wait_status)) return StatusCode::kUnavailable;
  switch (WEXITSTATUS(wait_status)) {
    case program::exit_codes::kExitUsage: return StatusCode::kInvalidArgument;
    case program::exit_codes::kExitRefused: return StatusCode::kFailedPrecondition;
    case program::exit_codes::kExitInternal: return StatusCode::kInternal;
    default: return StatusCode::kUnavailable;
  }
}

Status EndedEarly(const LaunchOptions& options, int wait_status, std::uint64_t log_begin) {
  const std::string how = WIFEXITED(wait_status)
                              ? "it exited with " + std::to_string(WEXITSTATUS(wait_status))
                              : "signal " + std::to_string(WTERMSIG(wait_status)) + " ended it";
  return {CodeOf(wait_status), "daemon_ended",
          "starting emendd on " + options.store + ": " + how + ". " +
              WhatTheLogSays(options.store, log_begin)};
}

}  // namespace

Result<Launched> Launch(const LaunchOptions& options,
                        const std::function<void(const std::string&)>& on_wait) {
  EMEND_RETURN_IF_ERROR(CreateStoreFolder(options.store));
  pid_t pid = 0;
  const std::uint64_t log_begin = LogSize(options.store);
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  while (std::chrono::steady_clock::now() < deadline) {
    // A record and a held lock are not enough: a process that was just killed holds its lock for a
    // moment longer.
    const Result<DaemonRecord> record = ReadDaemonRecord(options.store);
    if (record.ok() && Answers(*record))
      return Launched{.record = *record, .was_running = pid == 0};
    int wait_status = 0;
    if (pid == 0 && !StoreLock::IsHeld(options.store)) {
      RemoveDaemonRecord(options.store);
      EMEND_ASSIGN_OR_RETURN(pid, Spawn(options));
      on_wait("starting emendd, waiting for a worker");
    } else if (pid != 0 && waitpid(pid, &wait_status, WNOHANG) == pid) {
      const bool lost_a_race =
          WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == program::exit_codes::kExitConflict;
      if (!lost_a_race) return EndedEarly(options, wait_status, log_begin);
      pid = 0;
    }
    std::this_thread::sleep_for(kPoll);
  }
  // Not left behind half started: without a record nobody could stop it.
  if (pid != 0 && kill(pid, SIGTERM) == 0) waitpid(pid, nullptr, 0);
  return Status(StatusCode::kDeadlineExceeded, "not_ready",
                "starting emendd on " + options.store + ": not ready after " +
                    std::to_string(options.timeout.count()) + " s. The end of its log:\n" +
                    LogTail(options.store, log_begin));
}

Status Shutdown(const std::string& store, std::chrono::seconds timeout) {
  if (!StoreLock::IsHeld(store)) EMEND_RETURN_IF_ERROR(ReadDaemonRecord(store).status());
  const std::optional<StoreLock::Daemon> daemon = StoreLock::ReadDaemon(store);
  if (!daemon)
    return {
        StatusCode::kConflict, "store_in_use",
        "stopping emendd on " + store + ": something else holds the store, such as `emend repair`"};
  // A second signal would end it at once, with what it is just writing.
  if (!daemon->stopping && kill(static_cast<pid_t>(daemon->pid), SIGTERM) != 0) {
    return {StatusCode::kUnavailable, "stopping emendd on " + store + ": process " +
                                          std::to_string(daemon->pid) + ": " +
                                          std::strerror(errno)};
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!StoreLock::IsHeld(store)) return OkStatus();
    std::this_thread::sleep_for(kPoll);
  }
  return {StatusCode::kDeadlineExceeded, "stopping emendd on " + store + ": process " +
                                             std::to_string(daemon->pid) + " still runs after " +
                                             std::to_string(timeout.count()) + " s"};
}

}  // namespace emend::api::daemon
