// A narrow ordered key-value store: the only door to RocksDB.
//
//   WriteBatch batch;
//   batch.Put(ColumnFamily::kRefs, key, value);
//   // all or nothing; durable when it returns
//   EMEND_RETURN_IF_ERROR(store.Write(batch, Durability::kSynced));
//
// Guarantees: a batch is atomic; a synced write makes it and every earlier write durable; Get and
// Scan see every write that returned before they began; values are checked against their checksums
// when read, a mismatch is kDataLoss and never a wrong value. Thread-safe. Every call may block on
// the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::storage::kv {

// Stored by name ("meta", "objects", ...): see ColumnFamilyName.
enum class ColumnFamily : std::uint8_t {
  kMeta,
  kObjects,
  kPayload,
  kRefs,
  kReflog,
  kCommits,
  kProposals,
  kReviews,
  kOperations,
  kReleases,
  kNodes,
  kAudit,
  kIdempotency,
};
inline constexpr int kColumnFamilyCount = 13;
std::string_view ColumnFamilyName(ColumnFamily family);

// Changes that take effect together: first prefixes are cleared, then later changes win over
// earlier ones of the same key.
class WriteBatch {
 public:
  struct Change {
    ColumnFamily family;
    std::string key;
    std::optional<std::string> value;  // none: delete
  };
  struct Prefix {
    ColumnFamily family;
    std::string prefix;
    // The first key after all that begin with it.
    std::string End() const;
  };
  void Put(ColumnFamily family, std::string_view key, std::string_view value);
  void Delete(ColumnFamily family, std::string_view key);
  // Deletes whatever is there before this batch and begins with `prefix`, at a cost that does not
  // grow with how much that is. REQUIRES: a byte of `prefix` is less than 0xff.
  void Clear(ColumnFamily family, std::string_view prefix);
  // For what is small and must be written down for space to become free again, or for somebody to
  // be told so: it may take half of the reserve.
  void UseReserve() { uses_reserve_ = true; }
  const std::vector<Change>& changes() const { return changes_; }
  const std::vector<Prefix>& cleared() const { return cleared_; }
  std::size_t bytes() const { return bytes_; }
  bool uses_reserve() const { return uses_reserve_; }

 private:
  std::vector<Change> changes_;
  std::vector<Prefix> cleared_;
  bool uses_reserve_ = false;
  std::size_t bytes_ = 0;
};

enum class Durability { kUnsynced, kSynced };

// Called for each entry in key order; return false to stop.
using ScanVisitor = std::function<bool(std::string_view key, std::string_view value)>;

class KvStore {
 public:
  virtual ~KvStore() = default;
  // Empty if the key is not there.
  virtual Result<std::optional<std::string>> Get(ColumnFamily family, std::string_view key) = 0;
  // Every entry whose key begins with `prefix` and is >= prefix + start, over one consistent
  // snapshot.
  virtual Status Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
                      const ScanVisitor& visit) = 0;
  // kResourceExhausted ("disk_full": reads go on, writes work again once there is space);
  // kUnavailable on other I/O errors. On failure nothing of the batch is visible. After a failure
  // on the disk itself the store first reopens its files at the next write: a batch whose sync
  // failed may then turn out to stand, whole, and unsynced writes before it may be gone. Refusals
  // of the free-space guard leave nothing open.
  virtual Status Write(const WriteBatch& batch, Durability durability) = 0;
  // Reads every value and checks every checksum. kDataLoss names the column family.
  virtual Status VerifyChecksums() = 0;
};

struct RocksOptions {
  std::string path;
  // writes are refused when the disk has less free than this
  std::uint64_t reserve_bytes = 64ULL << 20;
};
// Creates the store if `path` has none. kDataLoss ("store_damaged") if RocksDB refuses to open it
// (run `emend repair`), kUnavailable ("store_locked") if another process holds it, kUnsupported
// ("store_too_new") if a newer version wrote it.
Result<std::unique_ptr<KvStore>> OpenRocksKv(const RocksOptions& options);

}  // namespace emend::storage::kv
