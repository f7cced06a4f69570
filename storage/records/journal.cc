#include "storage/records/journal.h"

#include <algorithm>

#include "storage/base/failpoint.h"
#include "storage/base/log.h"
#include "storage/records/anchor.h"
#include "storage/records/audit_chain.h"

namespace emend::storage::records {
Journal::Journal(kv::KvStore& store, FileSystem& file_system, const Clock& clock,
                 std::string anchor_path)
    : store_(store),
      file_system_(file_system),
      clock_(clock),
      anchor_path_(std::move(anchor_path)) {}

Result<std::unique_ptr<Journal>> Journal::Open(kv::KvStore& store, FileSystem& file_system,
                                               const Clock& clock, const std::string& anchor_path) {
  std::unique_ptr<Journal> journal(new Journal(store, file_system, clock, anchor_path));
  const std::lock_guard lock(journal->commit_mutex_);
  EMEND_RETURN_IF_ERROR(journal->Settle());
  return journal;
}

Status Journal::Settle() {
  EMEND_ASSIGN_OR_RETURN(const ChainState state,
                         CheckAgainstAnchor(store_, file_system_, anchor_path_));
  if (state.anchor.tail == Anchor::Tail::kTorn)
    LogWarning("anchor_tail_torn", {{"path", anchor_path_}, {"head", state.head.sequence}});
  EMEND_RETURN_IF_ERROR(CompleteAnchor(file_system_, anchor_path_, state));
  SetHead(state.head.sequence, state.head.hash);
  settled_ = true;
  return OkStatus();
}

void Journal::SetHead(std::uint64_t sequence, const Digest& hash) {
  const std::lock_guard lock(mutex_);
  head_ = sequence;
  head_hash_ = hash;
}

Status Journal::AnchorHead(std::uint64_t sequence, const Digest& hash) {
  EMEND_RETURN_IF_ERROR(AppendToAnchor(file_system_, anchor_path_, {sequence, hash}));
  const Result<std::uint64_t> size = file_system_.Size(anchor_path_);
  if (!size.ok() || *size <= kAnchorBytesMax) return size.status();
  return WriteAnchor(file_system_, anchor_path_, {{sequence, hash}});
}

Result<std::pair<std::uint64_t, Digest>> Journal::WriteEntries(Transaction& transaction) {
  AuditEntry entry;
  {
    const std::lock_guard lock(mutex_);
    entry.sequence = head_;
    entry.previous = head_hash_;
  }
  entry.time_ms = transaction.time_ms();
  for (auto& [principal, act] : transaction.acts_) {
    ++entry.sequence;
    entry.principal = principal;
    entry.act = std::move(act);
    const std::string encoded = EncodeAuditEntry(entry);
    transaction.batch().Put(kv::ColumnFamily::kAudit, AuditKey(entry.sequence), encoded);
    entry.previous = Sha256(encoded);
  }
  EMEND_FAILPOINT("journal.before_batch");
  // until all of the commit is done: from here on a failure leaves something to find out
  settled_ = false;
  EMEND_RETURN_IF_ERROR(store_.Write(transaction.batch(), kv::Durability::kSynced));
  return std::pair(entry.sequence, entry.previous);
}

Result<std::uint64_t> Journal::Commit(const Principal& principal,
                                      const std::function<Status(Transaction&)>& build) {
  const std::lock_guard commit_lock(commit_mutex_);
  if (!settled_) EMEND_RETURN_IF_ERROR(Settle());
  Transaction transaction(store_, principal, clock_.WallNow().time_since_epoch().count());
  EMEND_RETURN_IF_ERROR(build(transaction));
  EMEND_CHECK(!transaction.acts_.empty(), "a transaction was committed without an audit entry");
  EMEND_ASSIGN_OR_RETURN(const auto head, WriteEntries(transaction));
  SetHead(head.first, head.second);
  EMEND_FAILPOINT("journal.after_batch");
  if (const Status anchored = AnchorHead(head.first, head.second); !anchored.ok()) {
    return Status(StatusCode::kUnavailable, "anchor_not_written",
                  "committing audit entry " + std::to_string(head.first) +
                      ": the change is stored, but its anchor is not: " + anchored.ToString() +
                      "; nothing more is accepted until the anchor can be written");
  }
  EMEND_FAILPOINT("journal.after_anchor");
  settled_ = true;
  return head.first;
}

std::uint64_t Journal::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

Status Journal::Read(std::uint64_t first,
                     const std::function<bool(const AuditEntry&)>& visit) const {
  if (first > head()) return OkStatus();
  return WalkChain(store_, first,
                   [&](const AuditEntry& entry, const Digest&) { return visit(entry); });
}

Result<std::vector<AuditEntry>> Journal::ReadPage(std::uint64_t first,
                                                  std::size_t count_max) const {
  std::vector<AuditEntry> entries;
  if (count_max == 0) return entries;
  EMEND_RETURN_IF_ERROR(Read(first, [&](const AuditEntry& entry) {
    entries.push_back(entry);
    return entries.size() < count_max;
  }));
  return entries;
}

Result<std::vector<AuditEntry>> Journal::ReadPageBefore(std::uint64_t before,
                                                        std::size_t count_max) const {
  const std::uint64_t end = std::min(before == 0 ? head() + 1 : before, head() + 1);
  const std::uint64_t count = std::min<std::uint64_t>(count_max, end - 1);
  EMEND_ASSIGN_OR_RETURN(std::vector<AuditEntry> entries, ReadPage(end - count, count));
  std::ranges::reverse(entries);
  return entries;
}

Status Journal::Verify() const {
  const std::lock_guard commit_lock(commit_mutex_);  // the anchor must not grow while it is read
  return CheckAgainstAnchor(store_, file_system_, anchor_path_, ChainCheck::kWhole).status();
}

}  // namespace emend::storage::records
