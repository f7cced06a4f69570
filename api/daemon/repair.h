// `emendd --repair` and `emendd --new-token`: what is done to a store whose daemon is down, with
// its folder in hand. The command line's `emend repair` and `emend token new` run them.
#pragma once

#include <iosfwd>
#include <string>

#include "storage/records/repair.h"

namespace emend::api::daemon {

enum class RepairOutput { kText, kJson };

// A first token that is lost, or is not what was written, is made again with it; the old one is
// revoked. Holds the store's lock meanwhile: kConflict ("store_in_use") if emendd runs on it.
// Otherwise as storage::records::Repair. Blocks on the disk.
Status RepairStore(const std::string& store, const storage::records::RepairOptions& options,
                   RepairOutput output, std::ostream& out);

// `emendd --new-token`: a new first token in the store's folder, and the old one revoked. kConflict
// ("store_in_use"); kNotFound if there is no store; otherwise as opening a store.
Status RenewToken(const std::string& store, RepairOutput output, std::ostream& out);

}  // namespace emend::api::daemon
