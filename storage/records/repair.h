// repair: brings a store that is refused back to the newest state that is provably whole, and says
// exactly what is lost. For `emend repair`, with the daemon down.
//
//   EMEND_ASSIGN_OR_RETURN(RepairReport report,
//                          Repair(db_path, anchor_path, file_system, clock, {}));
//
// What it can mend: a damaged log (replayed on a copy up to the damage), a damaged or missing
// anchor, an anchor that is ahead of the store. What it cannot: a damaged table, blob or manifest,
// or a broken audit chain: those need a backup, and the Status says so. Nothing is ever deleted:
// what is replaced is kept beside it as "<path>.damaged-N". A repair that changed something is
// itself an audit entry ("store.repair"). Blocks on the disk.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/base/status.h"

namespace emend::storage::records {

struct RepairOptions {
  // Go on although acknowledged changes are lost, or although it cannot be shown that none are.
  bool accept_loss = false;
};

struct RepairReport {
  enum class Outcome { kNothingToDo, kRepaired } outcome = Outcome::kNothingToDo;
  std::uint64_t head = 0;        // the last audit entry that was there when repair had looked
  std::uint64_t lost_first = 0;  // 0: nothing that was acknowledged is lost
  // 0 while lost_first is not: the end is unknown, because the anchor is damaged too
  std::uint64_t lost_last = 0;
  std::string kept_store;   // where the damaged folder lies now; empty if it was not replaced
  std::string kept_anchor;  // likewise
  std::string found;        // for a person: what was wrong
};

// kFailedPrecondition ("would_lose") unless options.accept_loss, naming the audit sequences that
// would be lost: nothing is changed. kDataLoss if it cannot be mended. kUnavailable
// ("store_locked") while the store is open. kNotFound if there is no folder `db_path`.
Result<RepairReport> Repair(const std::string& db_path, const std::string& anchor_path,
                            FileSystem& file_system, const Clock& clock,
                            const RepairOptions& options);

}  // namespace emend::storage::records
