// One opening of a RocksDB folder: the database, its column families, and every option that
// durability rests on. Used by the store and by repair; RocksDB's own types appear only by name.
//
// A session is opened once and closed by its destructor. Thread-safe once open. Opening and closing
// block on the disk.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/kv/kv_store.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class FileSystem;
class Status;
}  // namespace rocksdb

namespace emend::storage::kv {

enum class SessionMode {
  kReadWrite,  // refuses a log that is damaged anywhere but at a cleanly torn tail
  kReadOnly,   // the same, but writes nothing to the folder
  // keeps what lies before the first damage of the log and drops the rest: for copies only
  kSalvage,
};

struct SessionOptions {
  std::string path;
  SessionMode mode = SessionMode::kReadWrite;
  std::shared_ptr<rocksdb::FileSystem> file_system;  // none: the machine's
};

class RocksSession {
 public:
  // kDataLoss ("store_damaged") if the files are not what was written; kUnavailable
  // ("store_locked") if another process holds the folder; kUnsupported ("store_too_new") if a newer
  // version wrote it; kResourceExhausted, kUnavailable on I/O errors.
  static Result<std::unique_ptr<RocksSession>> Open(const SessionOptions& options);
  ~RocksSession();
  RocksSession(const RocksSession&) = delete;
  RocksSession& operator=(const RocksSession&) = delete;

  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* handle(ColumnFamily family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  // Of every column family, RocksDB's "default" last.
  const std::vector<rocksdb::ColumnFamilyHandle*>& handles() const { return handles_; }
  rocksdb::ColumnFamilyHandle* default_handle() const { return handles_.back(); }
  bool writable() const { return mode_ != SessionMode::kReadOnly; }
  // RocksDB failed to flush or compact: it writes no more until it is opened again.
  bool background_failed() const { return background_failed_->load(); }

 private:
  explicit RocksSession(SessionMode mode);
  Status OpenDatabase(const SessionOptions& options);
  // Writes the store's format record into a new store, checks it in an old one.
  Status CheckFormat(const std::string& path);

  const SessionMode mode_;
  const std::shared_ptr<std::atomic<bool>> background_failed_;  // shared with RocksDB's listener
  // only with a file system of the caller's; outlives db_
  std::unique_ptr<rocksdb::Env> env_;
  rocksdb::DB* db_ = nullptr;  // owned; constant after Open
  // owned; in the order of ColumnFamily, then RocksDB's "default"
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

// RocksDB's Status as ours; `doing` is what was attempted and on what.
Status FromRocks(const rocksdb::Status& status, std::string_view doing);

// The store on another file system than the machine's: lets tests lose what was not synced and fail
// any call.
Result<std::unique_ptr<KvStore>> OpenRocksKvOn(const RocksOptions& options,
                                               std::shared_ptr<rocksdb::FileSystem> file_system);

}  // namespace emend::storage::kv
