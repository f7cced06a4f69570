#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "api/daemon/launch.h"
#include "api/program/token_file.h"
#include "storage/base/file_system.h"

namespace emend::api::daemon {

namespace {

constexpr char kRunning[] = "running";
constexpr char kStopping[] = "stopping";

// A lock of the open file, not of the process: it ends with the last descriptor, and another
// descriptor of the same process does not have it.
struct flock WholeFile() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// Something that only a store that was in use has; empty: nothing.
std::string WhatIsLeft(FileSystem& files, const std::string& folder) {
  for (const char* name : {"anchor", "token"}) {
    if (files.Exists(folder + "/" + name)) return folder + "/" + name;
  }
  for (const char* name : {"models", "statistics"}) {
    const auto held = files.List(folder + "/" + name);
    if (held.ok() && !held->empty()) return folder + "/" + name + "/" + held->front();
  }
  return "";
}

}  // namespace

std::string DaemonRecordPath(const std::string& store) { return store + "/daemon.json"; }

Result<StoreLock> StoreLock::Take(const std::string& store) {
  const std::string path = store + "/lock";
  const int descriptor = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, kPrivateMode);
  if (descriptor < 0) return Unavailable("opening " + path + ": " + std::strerror(errno));
  struct flock whole = WholeFile();
  if (fcntl(descriptor, F_OFD_SETLK, &whole) == 0) {
    StoreLock lock(descriptor);
    if (ftruncate(descriptor, 0) != 0)
      return Unavailable("emptying " + path + ": " + std::strerror(errno));
    return lock;
  }
  close(descriptor);
  return Status(StatusCode::kConflict, "store_in_use",
                "locking " + path +
                    ": another emendd runs on this store; stop it with `emend down --store " +
                    store + "`");
}

bool StoreLock::IsHeld(const std::string& store) {
  const int descriptor = open((store + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock found = WholeFile();
  const bool is_held = fcntl(descriptor, F_OFD_GETLK, &found) == 0 && found.l_type != F_UNLCK;
  close(descriptor);
  return is_held;
}

std::optional<StoreLock::Daemon> StoreLock::ReadDaemon(const std::string& store) {
  PosixFileSystem files;
  const Result<std::string> text = files.Read(store + "/lock");
  Daemon daemon;
  std::string state;
  if (!text.ok() || !(std::istringstream(*text) >> daemon.pid >> state)) return std::nullopt;
  daemon.stopping = state == kStopping;
  return daemon;
}

void StoreLock::Say(const Daemon& daemon) const {
  const std::string line =
      std::to_string(daemon.pid) + " " + (daemon.stopping ? kStopping : kRunning) + "\n";
  // Only a help for `emend down`: where it cannot be written, the record is still there.
  static_cast<void>(pwrite(descriptor_, line.data(), line.size(), 0) &&
                    ftruncate(descriptor_, static_cast<off_t>(line.size())));
}

StoreLock::StoreLock(StoreLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

StoreLock::~StoreLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status CreateStoreFolder(const std::string& store) {
  PosixFileSystem files;
  const std::size_t slash = store.rfind('/');
  if (slash != std::string::npos && slash > 0)
    EMEND_RETURN_IF_ERROR(files.CreateFolders(store.substr(0, slash)));
  if (mkdir(store.c_str(), 0700) == 0) return OkStatus();
  if (errno != EEXIST)
    return Unavailable("creating the store's folder " + store + ": " + std::strerror(errno));
  struct stat info{};
  if (stat(store.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    return {StatusCode::kInvalidArgument, "not_a_store",
            "opening the store " + store + ": it is a file; name a new or an empty folder"};
  }
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(store));
  const auto is_of_a_store = [](const std::string& name) {
    return name == "anchor" || name == "db" || name == "lock" || name == "emendd.log";
  };
  if (names.empty() || std::ranges::any_of(names, is_of_a_store)) return OkStatus();
  return {StatusCode::kInvalidArgument, "not_a_store",
          "opening the store " + store + ": it is a folder of something else (it holds \"" +
              names.front() + "\"); name a new or an empty folder"};
}

Status CheckStoreIsWhole(const std::string& store, const std::string& shared, StoreStart start) {
  PosixFileSystem files;
  // It names the state of a database; RocksDB makes an empty one where it is missing.
  if (files.Exists(store + "/db/CURRENT")) return OkStatus();
  std::string left = WhatIsLeft(files, store);
  if (left.empty() && !shared.empty()) left = WhatIsLeft(files, shared);
  if (left.empty()) return OkStatus();
  if (start == StoreStart::kUsual) {
    return {StatusCode::kFailedPrecondition, "store_without_database",
            "opening the store " + store + ": \"" + left +
                "\" is left of a store, but its database, " + store +
                "/db, is not there; put a backup of the whole folder in its place, or begin a new, "
                "empty store over it with --new"};
  }
  const std::string anchor = store + "/anchor";
  if (!files.Exists(anchor)) return OkStatus();
  int number = 1;
  Status kept;
  do {
    kept = files.Rename(anchor, anchor + ".before-" + std::to_string(number++));
  } while (kept.code() == StatusCode::kAlreadyExists);
  return kept;
}

Result<DaemonRecord> ReadDaemonRecord(const std::string& store) {
  const Status not_running(StatusCode::kNotFound, "not_running",
                           "looking for emendd on " + store +
                               ": none is running; start it with `emend up --store " + store + "`");
  PosixFileSystem files;
  const Result<std::string> text = files.Read(DaemonRecordPath(store));
  if (!text.ok()) return not_running;
  // A free lock: whoever wrote the record is gone without a goodbye.
  if (!StoreLock::IsHeld(store)) return not_running;
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool complete = json.is_object() && json.contains("url") && json["url"].is_string() &&
                        json.contains("token_file") && json["token_file"].is_string() &&
                        json.contains("pid") && json["pid"].is_number_integer();
  if (!complete)
    return DataLoss("reading " + DaemonRecordPath(store) +
                    ": found no document with url, token_file and pid");
  return DaemonRecord{.url = json["url"], .token_file = json["token_file"], .pid = json["pid"]};
}

Status WriteDaemonRecord(const std::string& store, const DaemonRecord& record) {
  const nlohmann::ordered_json json = {
      {"url", record.url}, {"token_file", record.token_file}, {"pid", record.pid}};
  PosixFileSystem files;
  return files.WriteAtomically(DaemonRecordPath(store), json.dump() + "\n", kPrivateMode);
}

void RemoveDaemonRecord(const std::string& store) {
  PosixFileSystem files;
  // A record that stays is recognised as stale by the free lock.
  static_cast<void>(files.Remove(DaemonRecordPath(store)));
}

Result<std::string> ReadFirstToken(const DaemonRecord& record) {
  Result<std::string> token = program::ReadToken(record.token_file);
  if (token.ok()) return token;
  return token.status().WithContext(
      "reading the store's first token (if it is lost, `emend down` and then `emend token new` "
      "make "
      "another)");
}

}  // namespace emend::api::daemon
