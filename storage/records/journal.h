// The journal: the one door through which the store's state changes, and the audit chain that every
// change leaves behind.
//
//   auto sequence = journal.Commit(principal, [&](Transaction& transaction) -> Status {
//     // read and check: no other writer runs meanwhile
//     EMEND_RETURN_IF_ERROR(CheckHeadIs(transaction.store(), expected));
//     transaction.batch().Put(ColumnFamily::kRefs, key, value);
//     transaction.Audit({"ref.move", {{"repo", repo}, {"ref", "main"}, {"to", id.Hex()}}});
//     return OkStatus();
//   });
//
// Order of a commit: build → one synced batch with the changes and the audit entries → anchor
// appended and synced → returned. Entry seq is (seq, hash of the entry before, time, principal,
// token id, act, ids); its hash is SHA-256 of its canonical encoding. The anchor is a file outside
// the database with (seq, hash, CRC-32C) records: a store whose audit head is behind its anchor has
// lost acknowledged changes and is refused. A crash between batch and anchor leaves the anchor one
// behind: Open appends it. Failpoints: journal.before_batch, journal.after_batch,
// journal.after_anchor. Thread-safe: commits are one after another, readers go on. Blocks on the
// disk. A failed `build` or batch changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/archive.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/kv/kv_store.h"

namespace emend::storage::records {

// Who acts: a person or program, and the token it came with.
struct Principal {
  std::string name;
  std::string token_id;
  static auto Fields(auto& m) { return std::tie(m.name, m.token_id); }
  friend bool operator==(const Principal&, const Principal&) = default;
};

// What happened; ids and names only, never fact text.
struct AuditAct {
  std::string act;  // "commit.create", "ref.move", "operation.accept", ...
  std::vector<std::pair<std::string, std::string>> ids;
  static auto Fields(auto& m) { return std::tie(m.act, m.ids); }
};

struct AuditEntry {
  std::uint64_t sequence = 0;  // from 1
  Digest previous;             // hash of entry sequence - 1; zero for the first
  std::int64_t time_ms = 0;    // Unix epoch
  Principal principal;
  AuditAct act;
  static constexpr RecordHead kHead = {RecordType::kAuditEntry, 1};
  static auto Fields(auto& m) {
    return std::tie(m.sequence, m.previous, m.time_ms, m.principal, m.act);
  }
};

// What a commit collects; valid inside the build function only.
class Transaction {
 public:
  // The state before this transaction: its own puts are not visible.
  kv::KvStore& store() { return store_; }
  kv::WriteBatch& batch() { return batch_; }
  void Audit(AuditAct act) { acts_.emplace_back(principal_, std::move(act)); }
  const Principal& principal() const { return principal_; }
  // What follows is done, and audited, as another principal's: one transaction may finish what
  // several have asked for.
  void ActAs(Principal principal) { principal_ = std::move(principal); }
  std::int64_t time_ms() const { return time_ms_; }

 private:
  friend class Journal;
  Transaction(kv::KvStore& store, const Principal& principal, std::int64_t time_ms)
      : store_(store), principal_(principal), time_ms_(time_ms) {}
  kv::KvStore& store_;
  kv::WriteBatch batch_;
  std::vector<std::pair<Principal, AuditAct>> acts_;
  Principal principal_;
  std::int64_t time_ms_;
};

class Journal {
 public:
  // `store`, `file_system` and `clock` must outlive the journal. kDataLoss ("behind_anchor",
  // "anchor_mismatch", "anchor_corrupt", "audit_broken") refuses the store; compares the chain with
  // every line of the anchor, not the whole chain (Verify does).
  static Result<std::unique_ptr<Journal>> Open(kv::KvStore& store, FileSystem& file_system,
                                               const Clock& clock, const std::string& anchor_path);

  // The sequence of the last audit entry of this commit. REQUIRES: `build` audits at least one act.
  // Fails with build's Status, or the store's. If the batch was written but the anchor was not, the
  // change stands and the Status is kUnavailable ("anchor_not_written"). After a failed write the
  // next commit first finds out what the store kept: a batch whose sync failed may turn out to
  // stand. `build` may read the journal, but not commit.
  Result<std::uint64_t> Commit(const Principal& principal,
                               const std::function<Status(Transaction&)>& build);

  // What it writes to, for reading.
  kv::KvStore& store() const { return store_; }
  std::uint64_t head() const;
  // Entries from `first` on, until `visit` returns false.
  Status Read(std::uint64_t first, const std::function<bool(const AuditEntry&)>& visit) const;
  // At most `count_max` of them, oldest first; and of those before `before` (0: all), newest first.
  Result<std::vector<AuditEntry>> ReadPage(std::uint64_t first, std::size_t count_max) const;
  Result<std::vector<AuditEntry>> ReadPageBefore(std::uint64_t before, std::size_t count_max) const;
  // Every entry decodes, is linked to the one before, and agrees with every line of the anchor.
  // kDataLoss names the sequence.
  Status Verify() const;

 private:
  Journal(kv::KvStore& store, FileSystem& file_system, const Clock& clock, std::string anchor_path);

  // These REQUIRE commit_mutex_.
  // Reads head and anchor again and completes the anchor: after Open, and after a commit that ended
  // half-way.
  Status Settle();
  Status AnchorHead(std::uint64_t sequence, const Digest& hash);
  // Writes the transaction's batch with its audit entries; the sequence and hash of the last one.
  Result<std::pair<std::uint64_t, Digest>> WriteEntries(Transaction& transaction);
  void SetHead(std::uint64_t sequence, const Digest& hash);

  kv::KvStore& store_;
  FileSystem& file_system_;
  const Clock& clock_;
  const std::string anchor_path_;

  // held for a whole commit; taken before mutex_
  mutable std::mutex commit_mutex_;
  // guarded by commit_mutex_: head and anchor are known to agree with the store
  bool settled_ = false;

  mutable std::mutex mutex_;
  std::uint64_t head_ = 0;  // guarded by mutex_
  Digest head_hash_;        // guarded by mutex_
};

}  // namespace emend::storage::records
