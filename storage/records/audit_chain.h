// The audit chain as it is stored: column family audit, key = the sequence (8 bytes, big-endian, so
// that keys sort by it), value = the entry's canonical encoding. The hash of an entry is SHA-256 of
// that encoding, which holds the hash of the entry before.
//
//   EMEND_RETURN_IF_ERROR(WalkChain(store, 1, [](const AuditEntry& entry, const Digest& hash) {
//       ...; return true; }));
//
// Thread-safe: no state. Blocks on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/digest.h"
#include "storage/base/status.h"
#include "storage/kv/kv_store.h"
#include "storage/records/journal.h"

namespace emend::storage::records {

std::string AuditKey(std::uint64_t sequence);
std::string EncodeAuditEntry(const AuditEntry& entry);
// kDataLoss ("audit_broken") if the bytes are no audit entry.
Result<AuditEntry> DecodeAuditEntry(std::string_view bytes);

// Entries from sequence `first` (from 1) on with their hashes, until `visit` returns false.
// kDataLoss ("audit_broken") names the first entry that does not decode, is missing, or is not
// linked to the one before it; the first one visited is not compared with its predecessor.
Status WalkChain(kv::KvStore& store, std::uint64_t first,
                 const std::function<bool(const AuditEntry&, const Digest&)>& visit);

}  // namespace emend::storage::records
