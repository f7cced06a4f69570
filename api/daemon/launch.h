// Starting and stopping emendd on a store from another program: `emend up` and `emend down`.
//
//   EMEND_ASSIGN_OR_RETURN(Launched launched, Launch({.store = "/var/lib/emend", .program =
//       "/usr/bin/emendd"}, ShowText));
//   use launched.record.url and the token in launched.record.token_file
//
// A running daemon holds a lock on <store>/lock; <store>/daemon.json is there while it is ready.
// What a killed daemon left behind is recognised by the free lock. Blocks; not for several threads
// at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::daemon {

struct DaemonRecord {
  std::string url;
  std::string token_file;  // of the first token, mode 0600
  std::int64_t pid = 0;
};

std::string DaemonRecordPath(const std::string& store);
// kNotFound ("not_running") if there is none, or if the daemon that wrote it is gone.
Result<DaemonRecord> ReadDaemonRecord(const std::string& store);
Status WriteDaemonRecord(const std::string& store, const DaemonRecord& record);
void RemoveDaemonRecord(const std::string& store);
// That of a running store; on failure says how it is made again.
Result<std::string> ReadFirstToken(const DaemonRecord& record);

// Whether it answers a request now, within two seconds.
bool Answers(const DaemonRecord& record);

// The lock that a daemon holds on its store until it exits, whatever way. The file also says who
// holds it, from before there is a DaemonRecord until after it.
class StoreLock {
 public:
  struct Daemon {
    std::int64_t pid = 0;
    bool stopping = false;
  };

  // kConflict ("store_in_use") if another process holds it.
  static Result<StoreLock> Take(const std::string& store);
  // Asks without taking it, so that nobody is ever refused because of a question.
  static bool IsHeld(const std::string& store);
  // Who said so in the file; only true while the lock is held. Nothing if the holder is no daemon
  // (a repair).
  static std::optional<Daemon> ReadDaemon(const std::string& store);

  void Say(const Daemon& daemon) const;
  StoreLock(StoreLock&& other) noexcept;
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// 0700; the folder of a store, or an empty one, is kept as it is. kInvalidArgument ("not_a_store")
// if it holds something else, or is no folder; kUnavailable.
Status CreateStoreFolder(const std::string& store);

// Whether a store's folder may be given a new database.
enum class StoreStart { kUsual, kNew };
// What is left of a store whose database is gone is not opened as a new store:
// kFailedPrecondition ("store_without_database") says what is there. With kNew it is, and an anchor
// that is left is kept beside as "anchor.before-N". `shared`: the folder of models and statistics,
// or empty.
Status CheckStoreIsWhole(const std::string& store, const std::string& shared, StoreStart start);

struct LaunchOptions {
  std::string store;    // absolute
  std::string program;  // path of emendd
  std::vector<std::string> arguments;
  std::chrono::seconds timeout{120};
};
struct Launched {
  DaemonRecord record;
  bool was_running = false;
};
// Starts emendd in a session of its own and returns when it is ready, or says what its log says.
// `on_wait` is told what it waits for.
Result<Launched> Launch(const LaunchOptions& options,
                        const std::function<void(const std::string&)>& on_wait);
// SIGTERM, unless it is stopping already, then waits until the store is free. kNotFound
// ("not_running"), kConflict ("store_in_use", by something else than emendd), kDeadlineExceeded.
Status Shutdown(const std::string& store, std::chrono::seconds timeout);

}  // namespace emend::api::daemon
