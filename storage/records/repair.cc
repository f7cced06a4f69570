#include "storage/records/repair.h"

#include <memory>

#include "storage/base/log.h"
#include "storage/base/reason.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/repair.h"
#include "storage/records/anchor.h"
#include "storage/records/audit_chain.h"
#include "storage/records/journal.h"

namespace emend::storage::records {
namespace {

// What is in the store, against what the anchor says was acknowledged.
struct Finding {
  AnchorLine head;
  std::uint64_t lost_first = 0;
  std::uint64_t lost_last = 0;
  enum class Anchor { kGood, kToReplace } anchor = Anchor::kGood;
  std::string found;
};

// The head of a chain that is whole from its first entry on, and at which the surviving anchor
// records agree.
Result<AnchorLine> ReadWholeChain(kv::KvStore& store, const Anchor& anchor) {
  AnchorLine head;
  std::size_t next = 0;
  std::uint64_t mismatch = 0;
  EMEND_RETURN_IF_ERROR(WalkChain(store, 1, [&](const AuditEntry& entry, const Digest& hash) {
    head = {entry.sequence, hash};
    while (next < anchor.lines.size() && anchor.lines[next].sequence < entry.sequence) ++next;
    if (next < anchor.lines.size() && anchor.lines[next].sequence == entry.sequence &&
        anchor.lines[next].hash != hash)
      mismatch = entry.sequence;
    return mismatch == 0;
  }));
  if (mismatch == 0) return head;
  return Status(StatusCode::kDataLoss, "anchor_mismatch",
                "repairing a store: audit entry " + std::to_string(mismatch) +
                    " is not the one that was acknowledged; this store or this anchor is "
                    "another's: put the right one in its place");
}

Result<Finding> Examine(kv::KvStore& store, FileSystem& file_system,
                        const std::string& anchor_path) {
  EMEND_RETURN_IF_ERROR(store.VerifyChecksums().WithContext(
      "repairing a store: a table or blob is damaged, which only a backup can mend"));
  const Result<ChainState> checked =
      CheckAgainstAnchor(store, file_system, anchor_path, ChainCheck::kWhole);
  Finding finding;
  if (checked.ok()) {
    finding.head = checked->head;
    return finding;
  }
  const Reason why = ReasonOf(checked.status());
  if (why != Reason::kBehindAnchor && why != Reason::kAnchorCorrupt) return checked.status();
  finding.anchor = Finding::Anchor::kToReplace;
  finding.found = checked.status().message();
  EMEND_ASSIGN_OR_RETURN(const Anchor surviving, ReadSurvivingAnchor(file_system, anchor_path));
  EMEND_ASSIGN_OR_RETURN(finding.head, ReadWholeChain(store, surviving));
  const bool end_known = surviving.tail == Anchor::Tail::kWhole && !surviving.lines.empty();
  // the anchor's end is whole, and the chain reaches it
  if (end_known && surviving.last() <= finding.head.sequence) return finding;
  finding.lost_first = finding.head.sequence + 1;
  finding.lost_last = end_known ? surviving.last() : 0;
  return finding;
}

std::string FreeName(FileSystem& file_system, const std::string& path, const std::string& ending) {
  int number = 1;
  while (file_system.Exists(path + ending + std::to_string(number))) ++number;
  return path + ending + std::to_string(number);
}

Status CheckLoss(const Finding& finding, const RepairOptions& options) {
  if (finding.lost_first == 0 || options.accept_loss) return OkStatus();
  const std::string head = std::to_string(finding.head.sequence);
  const std::string lost = finding.lost_last != 0
                               ? "audit entries " + std::to_string(finding.lost_first) + " to " +
                                     std::to_string(finding.lost_last) + " would be lost"
                               : "it cannot be shown that nothing after audit entry " + head +
                                     " is lost, because the anchor's end is damaged or missing";
  return {StatusCode::kFailedPrecondition, "would_lose",
          "repairing a store: its audit chain can be kept up to entry " + head + "; " + lost +
              "; restore a backup, or accept the loss"};
}

// Keeps the old anchor beside the new one, which says that the chain ends in `head`.
Status ReplaceAnchor(FileSystem& file_system, const std::string& path, const AnchorLine& head,
                     RepairReport& report) {
  if (file_system.Exists(path)) {
    EMEND_ASSIGN_OR_RETURN(const std::string old, file_system.Read(path));
    report.kept_anchor = FreeName(file_system, path, ".damaged-");
    EMEND_RETURN_IF_ERROR(file_system.WriteAtomically(report.kept_anchor, old, kPrivateMode));
  }
  return WriteAnchor(file_system, path, {head});
}

Status AuditRepair(kv::KvStore& store, FileSystem& file_system, const Clock& clock,
                   const std::string& anchor_path, const RepairReport& report) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal,
                         Journal::Open(store, file_system, clock, anchor_path));
  return journal
      ->Commit({"emend repair", ""},
               [&](Transaction& transaction) {
                 transaction.Audit({"store.repair",
                                    {{"head", std::to_string(report.head)},
                                     {"lost_first", std::to_string(report.lost_first)},
                                     {"lost_last", std::to_string(report.lost_last)}}});
                 return OkStatus();
               })
      .status();
}

// The store at `path` is accepted as it is; its anchor follows it.
Status Finish(const std::string& path, const std::string& anchor_path, FileSystem& file_system,
              const Clock& clock, const Finding& finding, RepairReport& report) {
  report.outcome = RepairReport::Outcome::kRepaired;
  report.head = finding.head.sequence;
  report.lost_first = finding.lost_first;
  report.lost_last = finding.lost_last;
  if (report.found.empty()) report.found = finding.found;
  if (finding.anchor == Finding::Anchor::kToReplace)
    EMEND_RETURN_IF_ERROR(ReplaceAnchor(file_system, anchor_path, finding.head, report));
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<kv::KvStore> store, kv::OpenRocksKv({.path = path}));
  EMEND_RETURN_IF_ERROR(AuditRepair(*store, file_system, clock, anchor_path, report));
  LogWarning("store_repaired", {{"path", path},
                                {"head", report.head},
                                {"lost_first", report.lost_first},
                                {"lost_last", report.lost_last}});
  return OkStatus();
}

Result<Finding> ExamineFolder(const std::string& path, FileSystem& file_system,
                              const std::string& anchor_path) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<kv::KvStore> store, kv::OpenRocksKv({.path = path}));
  return Examine(*store, file_system, anchor_path);
}

// The store is refused: a copy that is replayed up to the damage takes its place, if what the
// anchor says is all in it or the loss is accepted.
Result<RepairReport> ReplaceBySalvage(const std::string& db_path, const std::string& anchor_path,
                                      FileSystem& file_system, const Clock& clock,
                                      const RepairOptions& options, const Status& refusal) {
  const std::string copy = FreeName(file_system, db_path, ".salvage-");
  EMEND_RETURN_IF_ERROR(kv::SalvageCopy(db_path, copy)
                            .status()
                            .WithContext("the damage is not in the log, restore a backup"));
  const Result<Finding> finding = ExamineFolder(copy, file_system, anchor_path);
  Status acceptable = finding.ok() ? CheckLoss(*finding, options) : finding.status();
  if (!acceptable.ok()) {
    EMEND_RETURN_IF_ERROR(kv::RemoveFolder(copy));
    return acceptable;
  }
  RepairReport report;
  report.found = refusal.message();
  report.kept_store = FreeName(file_system, db_path, ".damaged-");
  EMEND_RETURN_IF_ERROR(kv::ReplaceFolder(db_path, copy, report.kept_store));
  EMEND_RETURN_IF_ERROR(Finish(db_path, anchor_path, file_system, clock, *finding, report));
  return report;
}

}  // namespace

Result<RepairReport> Repair(const std::string& db_path, const std::string& anchor_path,
                            FileSystem& file_system, const Clock& clock,
                            const RepairOptions& options) {
  if (!file_system.Exists(db_path))
    return NotFound("repairing store \"" + db_path + "\": there is no such folder");
  // Opened and closed before anything is judged: only a store that RocksDB itself refuses is
  // salvaged, a lock or a full disk is the caller's to mend.
  if (const Status opened = kv::OpenRocksKv({.path = db_path}).status(); !opened.ok()) {
    if (opened.code() != StatusCode::kDataLoss) return opened;
    return ReplaceBySalvage(db_path, anchor_path, file_system, clock, options, opened);
  }
  EMEND_ASSIGN_OR_RETURN(const Finding finding, ExamineFolder(db_path, file_system, anchor_path));
  RepairReport report;
  report.head = finding.head.sequence;
  if (finding.anchor == Finding::Anchor::kGood) return report;
  EMEND_RETURN_IF_ERROR(CheckLoss(finding, options));
  EMEND_RETURN_IF_ERROR(Finish(db_path, anchor_path, file_system, clock, finding, report));
  return report;
}

}  // namespace emend::storage::records
