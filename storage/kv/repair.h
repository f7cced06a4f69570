// The part of `emend repair` that knows how a store lies on the disk: a copy of its folder, opened
// at the newest moment before the damage, and the exchange of the two folders. Whether the copy is
// good enough is for the caller to decide (storage/records/repair.h), by the anchor.
//
//   EMEND_ASSIGN_OR_RETURN(SalvageReport report, SalvageCopy(path, path + ".salvage-1"));
//   // look at it, close it
//   EMEND_ASSIGN_OR_RETURN(auto store, OpenRocksKv({.path = path + ".salvage-1"}));
//   EMEND_RETURN_IF_ERROR(ReplaceFolder(path, path + ".salvage-1", path + ".damaged-1"));
//
// Not for stores that are open: the calls refuse those with kUnavailable ("store_locked"). Blocks
// on the disk.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/status.h"

namespace emend::storage::kv {

struct SalvageReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// Copies the folder `from`, opens the copy so that the log is replayed up to its first damage, and
// closes it again: after that OpenRocksKv takes it. `from` is left as it is. kAlreadyExists if `to`
// is there; kDataLoss ("store_damaged") if the damage is not in the log: nothing in the folder can
// replace a lost table, blob or manifest. On failure nothing is left at `to`.
Result<SalvageReport> SalvageCopy(const std::string& from, const std::string& to);

// `replacement` becomes `live`, and what was `live` becomes `kept`: with one exchange where the
// file system can do that, so that `live` always exists.
Status ReplaceFolder(const std::string& live, const std::string& replacement,
                     const std::string& kept);

// Removes a folder and all it holds; ok if it is not there.
Status RemoveFolder(const std::string& path);

}  // namespace emend::storage::kv
