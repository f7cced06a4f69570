#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/daemon/launch.h"
#include "storage/base/file_system.h"

namespace emend::api::daemon {

std::string DaemonRecordPath(const std::string& store) { return store + "/daemon.json"; }

Result<StoreLock> StoreLock::Take(const std::string& store) {
  const std::string path = store + "/lock";
  const int descriptor = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) return Unavailable("opening " + path + ": " + std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return StoreLock(descriptor);
  close(descriptor);
  return Status(StatusCode::kConflict, "store_in_use",
                "locking " + path + ": another emendd runs on this store; stop it with `emend down --store " + store + "`");
}

StoreLock::StoreLock(StoreLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

StoreLock::~StoreLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status CreateStoreFolder(const std::string& store) {
  PosixFileSystem files;
  const std::size_t slash = store.rfind('/');
  if (slash != std::string::npos && slash > 0) EMEND_RETURN_IF_ERROR(files.CreateFolders(store.substr(0, slash)));
  if (mkdir(store.c_str(), 0700) == 0 || errno == EEXIST) return OkStatus();
  return Unavailable("creating the store's folder " + store + ": " + std::strerror(errno));
}

Result<DaemonRecord> ReadDaemonRecord(const std::string& store) {
  const Status not_running(StatusCode::kNotFound, "not_running",
                           "looking for emendd on " + store + ": none is running; start it with `emend up --store " + store + "`");
  PosixFileSystem files;
  const Result<std::string> text = files.Read(DaemonRecordPath(store));
  if (!text.ok()) return not_running;
  // A free lock: whoever wrote the record is gone without a goodbye.
  if (StoreLock::Take(store).ok()) return not_running;
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool complete = json.is_object() && json.contains("url") && json["url"].is_string() && json.contains("token_file") && json["token_file"].is_string() &&
                        json.contains("pid") && json["pid"].is_number_integer();
  if (!complete) return DataLoss("reading " + DaemonRecordPath(store) + ": found no document with url, token_file and pid");
  return DaemonRecord{.url = json["url"], .token_file = json["token_file"], .pid = json["pid"]};
}

Status WriteDaemonRecord(const std::string& store, const DaemonRecord& record) {
  const nlohmann::ordered_json json = {{"url", record.url}, {"token_file", record.token_file}, {"pid", record.pid}};
  PosixFileSystem files;
  return files.WriteAtomically(DaemonRecordPath(store), json.dump() + "\n", 0600);
}

void RemoveDaemonRecord(const std::string& store) {
  PosixFileSystem files;
  // A record that stays is recognised as stale by the free lock.
  static_cast<void>(files.Remove(DaemonRecordPath(store)));
}

Result<std::string> ReadToken(const std::string& token_file) {
  PosixFileSystem files;
  EMEND_ASSIGN_OR_RETURN(std::string token, files.Read(token_file));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  return token;
}

}  // namespace emend::api::daemon
