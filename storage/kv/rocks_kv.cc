#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "storage/base/file_system.h"
#include "storage/base/log.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/rocks_session.h"

namespace emend::storage::kv {
namespace {

constexpr std::size_t kProtectionBytesPerKey = 8;
// How long a reopening waits for reads that are under way, at most.
constexpr std::chrono::milliseconds kDrainMax{2000};

// The least key that is greater than every key with this prefix; empty if there is none.
std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string InFamily(std::string_view doing, ColumnFamily family) {
  return std::string(doing) + " column family " + std::string(ColumnFamilyName(family));
}

// Invariants: session_ is used by whoever holds a copy, and is closed and replaced only while no
// one else does; once failed_ is set nothing is written until Reopen has cleared it.
class RocksKv final : public KvStore {
 public:
  RocksKv(RocksOptions options, std::shared_ptr<rocksdb::FileSystem> file_system,
          std::unique_ptr<RocksSession> session)
      : options_(std::move(options)),
        file_system_(std::move(file_system)),
        session_(std::move(session)) {}

  Result<std::optional<std::string>> Get(ColumnFamily family, std::string_view key) override;
  Status Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
              const ScanVisitor& visit) override;
  Status Write(const WriteBatch& batch, Durability durability) override;
  Status VerifyChecksums() override;

 private:
  Result<std::shared_ptr<RocksSession>> Use();
  // Refuses what would bring the disk below the reserve: RocksDB never gets to see a full disk.
  Status CheckSpace(const WriteBatch& batch);
  Status Reopen();
  Result<std::unique_lock<std::mutex>> LockUnused();
  Status WriteTo(RocksSession& session, const WriteBatch& batch, Durability durability);

  const RocksOptions options_;
  const std::shared_ptr<rocksdb::FileSystem> file_system_;
  // a write failed: what the files hold is known only after opening them again
  std::atomic<bool> failed_ = false;

  std::mutex mutex_;
  std::shared_ptr<RocksSession> session_;  // guarded by mutex_; null if the last reopening failed
};

Result<std::shared_ptr<RocksSession>> RocksKv::Use() {
  const std::lock_guard lock(mutex_);
  if (session_) return session_;
  return Unavailable(
      "using store \"" + options_.path +
      "\": it could not be opened again after a failed write; it is tried at every write");
}

Result<std::optional<std::string>> RocksKv::Get(ColumnFamily family, std::string_view key) {
  EMEND_ASSIGN_OR_RETURN(const auto session, Use());
  try {
    std::string value;
    const rocksdb::Status read = session->db().Get(rocksdb::ReadOptions(), session->handle(family),
                                                   rocksdb::Slice(key.data(), key.size()), &value);
    if (read.IsNotFound()) return std::optional<std::string>();
    EMEND_RETURN_IF_ERROR(FromRocks(read, InFamily("reading from", family)));
    return std::optional<std::string>(std::move(value));
  } catch (const std::exception& error) {
    return Internal(InFamily("reading from", family) + ": RocksDB threw: " + error.what());
  }
}

Status ScanSession(RocksSession& session, ColumnFamily family, std::string_view prefix,
                   std::string_view start, const rocksdb::ReadOptions& base,
                   const ScanVisitor& visit) {
  const std::string end = PrefixEnd(prefix);
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options = base;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(
      session.db().NewIterator(options, session.handle(family)));
  for (it->Seek(std::string(prefix).append(start)); it->Valid(); it->Next()) {
    if (!visit(it->key().ToStringView(), it->value().ToStringView())) return OkStatus();
  }
  return FromRocks(it->status(), InFamily("scanning", family));
}

Status RocksKv::Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
                     const ScanVisitor& visit) {
  EMEND_ASSIGN_OR_RETURN(const auto session, Use());
  try {
    return ScanSession(*session, family, prefix, start, rocksdb::ReadOptions(), visit);
  } catch (const std::exception& error) {
    return Internal(InFamily("scanning", family) + ": an exception was thrown: " + error.what());
  }
}

Status RocksKv::CheckSpace(const WriteBatch& batch) {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t free_bytes,
                         PosixFileSystem().FreeBytes(options_.path));
  const std::uint64_t kept_bytes =
      batch.uses_reserve() ? options_.reserve_bytes / 2 : options_.reserve_bytes;
  if (free_bytes >= kept_bytes && free_bytes - kept_bytes >= batch.bytes()) return OkStatus();
  return {StatusCode::kResourceExhausted, "disk_full",
          "writing " + std::to_string(batch.bytes()) + " bytes to store \"" + options_.path +
              "\": found " + std::to_string(free_bytes) + " bytes free on its disk, of which " +
              std::to_string(kept_bytes) + " are kept in reserve; free some space and try again"};
}

Status RocksKv::Write(const WriteBatch& batch, Durability durability) {
  EMEND_RETURN_IF_ERROR(CheckSpace(batch));
  EMEND_RETURN_IF_ERROR(Reopen());
  EMEND_ASSIGN_OR_RETURN(const auto session, Use());
  try {
    return WriteTo(*session, batch, durability);
  } catch (const std::exception& error) {
    failed_ = true;
    return Internal("writing a batch to store \"" + options_.path +
                    "\": RocksDB threw: " + error.what());
  }
}

Status RocksKv::WriteTo(RocksSession& session, const WriteBatch& batch, Durability durability) {
  rocksdb::WriteBatch rocks(batch.bytes() + 32 * batch.changes().size(), 0, kProtectionBytesPerKey,
                            0);
  rocksdb::Status built;
  for (const WriteBatch::Prefix& cleared : batch.cleared()) {
    if (built.ok())
      built = rocks.DeleteRange(session.handle(cleared.family), cleared.prefix, cleared.End());
  }
  for (const WriteBatch::Change& change : batch.changes()) {
    if (!built.ok()) break;
    built = change.value ? rocks.Put(session.handle(change.family), change.key, *change.value)
                         : rocks.Delete(session.handle(change.family), change.key);
  }
  if (!built.ok())
    return FromRocks(built, "building a batch of " + std::to_string(batch.bytes()) + " bytes");
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kSynced;
  const rocksdb::Status written = session.db().Write(options, &rocks);
  if (written.ok()) return OkStatus();
  failed_ = true;
  const Status status =
      FromRocks(written, "writing a batch of " + std::to_string(batch.changes().size()) +
                             " changes to store \"" + options_.path + "\"");
  LogWarning("store_write_failed", {{"path", options_.path}, {"status", status}});
  return status;
}

// A lock of mutex_ under which no one else uses the session. Bounded: a scan whose visitor writes
// would otherwise wait for itself.
Result<std::unique_lock<std::mutex>> RocksKv::LockUnused() {
  const auto deadline = std::chrono::steady_clock::now() + kDrainMax;
  while (std::chrono::steady_clock::now() < deadline) {
    std::unique_lock lock(mutex_);
    if (session_.use_count() <= 1) return lock;
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Unavailable(
      "opening store \"" + options_.path +
      "\" again after a failed write: reads of the old one did not end in time; try again");
}

// Closes and opens the files again if a write or RocksDB's own work failed since they were opened;
// does nothing otherwise. What the log holds goes through recovery into new, freshly synced files,
// so a sync that failed is never trusted. If that fails too, the store is opened for reading alone.
Status RocksKv::Reopen() {
  {
    const std::lock_guard lock(mutex_);
    if (!failed_ && session_ && session_->writable() && !session_->background_failed())
      return OkStatus();
  }
  EMEND_ASSIGN_OR_RETURN(const std::unique_lock lock, LockUnused());
  // another thread was first
  if (!failed_ && session_ && session_->writable() && !session_->background_failed())
    return OkStatus();
  session_.reset();
  SessionOptions options{
      .path = options_.path, .mode = SessionMode::kReadWrite, .file_system = file_system_};
  Result<std::unique_ptr<RocksSession>> opened = RocksSession::Open(options);
  if (opened.ok()) {
    session_ = std::move(opened).value();
    failed_ = false;
    LogWarning("store_reopened", {{"path", options_.path}});
    return OkStatus();
  }
  LogError("store_reopen_failed", {{"path", options_.path}, {"status", opened.status()}});
  options.mode = SessionMode::kReadOnly;
  if (Result<std::unique_ptr<RocksSession>> reading = RocksSession::Open(options); reading.ok())
    session_ = std::move(reading).value();
  return opened.status().WithContext("opening the store again after a failed write");
}

// The family that a file named in RocksDB's message belongs to.
std::string FamilyOfFile(RocksSession& session, const std::string& message) {
  for (int i = 0; i < kColumnFamilyCount; ++i) {
    const auto family = static_cast<ColumnFamily>(i);
    rocksdb::ColumnFamilyMetaData data;
    session.db().GetColumnFamilyMetaData(session.handle(family), &data);
    const auto named = [&](const std::string& name) {
      return !name.empty() && message.find(name) != std::string::npos;
    };
    for (const rocksdb::BlobMetaData& file : data.blob_files) {
      if (named(file.blob_file_name)) return std::string(ColumnFamilyName(family));
    }
    for (const rocksdb::LevelMetaData& level : data.levels) {
      for (const rocksdb::SstFileMetaData& file : level.files) {
        if (named(file.name)) return std::string(ColumnFamilyName(family));
      }
    }
  }
  return "(unknown)";
}

Status VerifySession(RocksSession& session) {
  // What is only in the log and in memory becomes a table file first, so that the check below sees
  // everything from the disk.
  if (session.writable())
    EMEND_RETURN_IF_ERROR(FromRocks(session.db().Flush(rocksdb::FlushOptions(), session.handles()),
                                    "flushing the store"));
  rocksdb::ReadOptions uncached;
  uncached.fill_cache = false;
  for (int i = 0; i < kColumnFamilyCount; ++i) {
    const auto everything = [](std::string_view, std::string_view) { return true; };
    EMEND_RETURN_IF_ERROR(
        ScanSession(session, static_cast<ColumnFamily>(i), "", "", uncached, everything));
  }
  // The scan may have been served from the block cache; these two read every table block and every
  // whole file, blobs too, from the disk.
  rocksdb::Status verified = session.db().VerifyChecksum(uncached);
  if (verified.ok()) verified = session.db().VerifyFileChecksums(uncached);
  if (verified.ok()) return OkStatus();
  return FromRocks(verified, "verifying the files of column family " +
                                 FamilyOfFile(session, verified.ToString()));
}

Status RocksKv::VerifyChecksums() {
  EMEND_ASSIGN_OR_RETURN(const auto session, Use());
  try {
    return VerifySession(*session);
  } catch (const std::exception& error) {
    return Internal("verifying store \"" + options_.path + "\": RocksDB threw: " + error.what());
  }
}

}  // namespace

Result<std::unique_ptr<KvStore>> OpenRocksKvOn(const RocksOptions& options,
                                               std::shared_ptr<rocksdb::FileSystem> file_system) {
  EMEND_RETURN_IF_ERROR(PosixFileSystem().CreateFolders(options.path));
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<RocksSession> session,
                         RocksSession::Open({options.path, SessionMode::kReadWrite, file_system}));
  return std::unique_ptr<KvStore>(
      std::make_unique<RocksKv>(options, std::move(file_system), std::move(session)));
}

Result<std::unique_ptr<KvStore>> OpenRocksKv(const RocksOptions& options) {
  return OpenRocksKvOn(options, nullptr);
}

}  // namespace emend::storage::kv
