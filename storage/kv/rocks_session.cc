#include "storage/kv/rocks_session.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "storage/base/encoding.h"
#include "storage/base/log.h"

#if defined(__SANITIZE_THREAD__)
// Debian's RocksDB is not instrumented: its reference counts look like races.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }
#endif

namespace emend::storage::kv {
namespace {

constexpr std::uint16_t kStoreFormat = 1;
constexpr char kFormatKey[] = "format";
constexpr std::size_t kBlockCacheBytes = 16U << 20;
constexpr std::size_t kWriteBufferBytes = 16U << 20;
// All memtables together: less than half of the default reserve, so that a flush fits into what the
// free-space guard keeps.
constexpr std::size_t kAllWriteBuffersBytes = 24U << 20;
constexpr std::uint64_t kMinBlobBytes = 4096;

// RocksDB's own log file aborts the process on a full disk (Debian builds it with assertions);
// warnings go to ours instead.
class ForwardingLogger final : public rocksdb::Logger {
 public:
  ForwardingLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  ~ForwardingLogger() override = default;
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL)
      return;
    char text[1024];
    std::vsnprintf(text, sizeof text, format, arguments);
    const std::string_view line = text;
    // Said of every table that RocksDB reads back right after writing it (paranoid_file_checks),
    // before the manifest knows its id.
    if (line.find("opened without unique ID to verify: 0.sst") != std::string_view::npos) return;
    try {
      LogWarning("rocksdb", {{"text", line}});
    } catch (const std::exception&) {  // nothing may be thrown through RocksDB's frames
    }
  }
};

class BackgroundErrorListener final : public rocksdb::EventListener {
 public:
  explicit BackgroundErrorListener(std::shared_ptr<std::atomic<bool>> failed)
      : failed_(std::move(failed)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status*) override {
    failed_->store(true);
  }

 private:
  const std::shared_ptr<std::atomic<bool>> failed_;
};

rocksdb::DBOptions DatabaseOptions(const SessionOptions& options,
                                   std::shared_ptr<std::atomic<bool>> background_failed,
                                   std::unique_ptr<rocksdb::Env>& env) {
  rocksdb::DBOptions database;
  if (options.file_system) {
    env = rocksdb::NewCompositeEnv(options.file_system);
    database.env = env.get();
  }
  database.create_if_missing = options.mode == SessionMode::kReadWrite;
  database.create_missing_column_families = options.mode == SessionMode::kReadWrite;
  database.info_log = std::make_shared<ForwardingLogger>();
  database.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  // The default, point in time, drops acknowledged commits after one flipped bit without a word.
  database.wal_recovery_mode = options.mode == SessionMode::kSalvage
                                   ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                   : rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  database.recycle_log_file_num = 0;
  database.wal_bytes_per_sync = 0;
  database.paranoid_checks = true;
  // tables of all families end at one point of the log: a damaged log can be replayed up to any
  // point after it
  database.atomic_flush = true;
  database.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  // a failed sync is never tried again on the same file: the store is opened again
  database.max_bgerror_resume_count = 0;
  database.listeners.push_back(
      std::make_shared<BackgroundErrorListener>(std::move(background_failed)));
  database.db_write_buffer_size = kAllWriteBuffersBytes;
  database.max_total_wal_size = 8 * kAllWriteBuffersBytes;
  database.max_background_jobs = 2;
  return database;
}

rocksdb::ColumnFamilyOptions FamilyOptions(bool blobs,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.checksum = rocksdb::ChecksumType::kCRC32c;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = kWriteBufferBytes;
  family.compression = rocksdb::kNoCompression;
  family.bottommost_compression = rocksdb::kDisableCompressionOption;
  family.paranoid_file_checks = true;
  family.memtable_protection_bytes_per_key = 8;
  family.enable_blob_files = blobs;
  family.enable_blob_garbage_collection = blobs;
  family.min_blob_size = kMinBlobBytes;
  family.blob_compression_type = rocksdb::kNoCompression;
  return family;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Families() {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int i = 0; i < kColumnFamilyCount; ++i) {
    const auto family = static_cast<ColumnFamily>(i);
    families.emplace_back(std::string(ColumnFamilyName(family)),
                          FamilyOptions(family == ColumnFamily::kPayload, cache));
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, FamilyOptions(false, cache));
  return families;
}

// A folder that has data but no CURRENT file was a store once: RocksDB would start an empty one in
// its place.
Status CheckFolder(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path + "/CURRENT", error)) return OkStatus();
  for (auto it = std::filesystem::directory_iterator(path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (it->path().extension() == ".sst" || it->path().extension() == ".blob") {
      return {StatusCode::kDataLoss, "store_damaged",
              "opening store \"" + path + "\": found " + name +
                  " but no file CURRENT, which names the store's state; run `emend repair`, or "
                  "restore a backup"};
    }
  }
  return OkStatus();
}

Status OpenStatus(const rocksdb::Status& status, const std::string& path) {
  const std::string doing = "opening store \"" + path + "\"";
  if (status.IsIOError() && status.ToString().find("LOCK") != std::string::npos) {
    return {StatusCode::kUnavailable, "store_locked",
            doing + ": another process holds it: " + status.ToString()};
  }
  if (status.IsInvalidArgument()) {
    return {StatusCode::kUnsupported, "store_too_new",
            doing + ": it was not written by this version or an earlier one: " + status.ToString()};
  }
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound()) {
    return {StatusCode::kDataLoss, "store_damaged",
            doing + ": its files are not what was written: " + status.ToString() +
                "; run `emend repair`, or restore a backup"};
  }
  return FromRocks(status, doing);
}

}  // namespace

Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  const std::string message = std::string(doing) + ": " + status.ToString();
  if (status.ok()) return OkStatus();
  // a file that the store's state names and that is gone is lost data, not a disk that is away
  if (status.IsCorruption() || status.IsPathNotFound()) return DataLoss(message);
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit)
    return {StatusCode::kResourceExhausted, "disk_full", message};
  if (status.IsNotSupported() || status.IsInvalidArgument()) return Internal(message);
  return Unavailable(message);
}

Result<std::unique_ptr<RocksSession>> RocksSession::Open(const SessionOptions& options) {
  EMEND_RETURN_IF_ERROR(CheckFolder(options.path));
  std::unique_ptr<RocksSession> session(new RocksSession(options.mode));
  try {
    EMEND_RETURN_IF_ERROR(session->OpenDatabase(options));
    EMEND_RETURN_IF_ERROR(session->CheckFormat(options.path));
  } catch (const std::exception& error) {
    return Internal("opening store \"" + options.path + "\": RocksDB threw: " + error.what());
  }
  return session;
}

RocksSession::RocksSession(SessionMode mode)
    : mode_(mode), background_failed_(std::make_shared<std::atomic<bool>>(false)) {}

Status RocksSession::OpenDatabase(const SessionOptions& options) {
  const rocksdb::DBOptions database = DatabaseOptions(options, background_failed_, env_);
  const rocksdb::Status opened =
      options.mode == SessionMode::kReadOnly
          ? rocksdb::DB::OpenForReadOnly(database, options.path, Families(), &handles_, &db_)
          : rocksdb::DB::Open(database, options.path, Families(), &handles_, &db_);
  return opened.ok() ? OkStatus() : OpenStatus(opened, options.path);
}

Status RocksSession::CheckFormat(const std::string& path) {
  const std::string doing = "reading the format of store \"" + path + "\"";
  std::string stored;
  const rocksdb::Status read =
      db_->Get(rocksdb::ReadOptions(), default_handle(), kFormatKey, &stored);
  if (read.IsNotFound() && mode_ == SessionMode::kReadWrite) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return FromRocks(db_->Put(synced, default_handle(), kFormatKey,
                              Encoder(RecordType::kStoreMeta, kStoreFormat).bytes()),
                     doing);
  }
  if (read.IsNotFound())
    return {StatusCode::kDataLoss, "store_damaged",
            doing + ": found no format record; restore a backup"};
  if (!read.ok()) return FromRocks(read, doing);
  Decoder decoder(stored);
  decoder.U16();
  if (decoder.U16() > kStoreFormat && decoder.ok())
    return {StatusCode::kUnsupported, "store_too_new",
            doing + ": a newer version of emend wrote it"};
  Decoder record(stored);
  record.Record(RecordType::kStoreMeta, kStoreFormat);
  return record.Finish().WithContext(doing);
}

RocksSession::~RocksSession() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close().PermitUncheckedError();
  delete db_;
}

}  // namespace emend::storage::kv
