// `emendd --repair`: mends a store whose daemon is down, and says what it found, kept and lost. The
// command line's `emend repair` runs it.
#pragma once

#include <iosfwd>
#include <string>

#include "storage/records/repair.h"

namespace emend::api::daemon {

enum class RepairOutput { kText, kJson };

// Holds the store's lock meanwhile: kConflict ("store_in_use") if emendd runs on it. Otherwise as
// storage::records::Repair. Blocks on the disk.
Status RepairStore(const std::string& store, const storage::records::RepairOptions& options,
                   RepairOutput output, std::ostream& out);

}  // namespace emend::api::daemon
