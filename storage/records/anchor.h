// The anchor: a file outside the database that holds the audit chain's head of every acknowledged
// commit. Any prefix of a hash chain is a valid chain, so only something outside can show that its
// end was lost.
//
// A new store's anchor has one record of sequence 0; a store that has entries but no anchor is
// refused. The file is a row of 48-byte records: record head (u16 type anchor, u16 version 1), u64
// sequence, 32 bytes hash, u32 CRC-32C of the 44 bytes before. Beyond 1 MiB it is replaced by its
// last record.
//
//   EMEND_ASSIGN_OR_RETURN(ChainState state, CheckAgainstAnchor(store, file_system, path));
//
// Thread-safety: calls for one path must not run at the same time. Blocks on the disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/digest.h"
#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/kv/kv_store.h"

namespace emend::storage::records {

struct AnchorLine {
  std::uint64_t sequence = 0;
  Digest hash;
  friend bool operator==(const AnchorLine&, const AnchorLine&) = default;
};

struct Anchor {
  // ascending by sequence; empty only if the file is missing or nothing in it is whole
  std::vector<AnchorLine> lines;
  // The file ends in bytes that are no record: an append was cut off, or the last record rotted.
  enum class Tail { kWhole, kTorn } tail = Tail::kWhole;

  std::uint64_t last() const { return lines.empty() ? 0 : lines.back().sequence; }
};

// A file that is not there is an empty anchor. kDataLoss ("anchor_corrupt") if anything but its end
// is damaged.
Result<Anchor> ReadAnchor(FileSystem& file_system, const std::string& path);
// For repair: every record that is whole, whatever lies between them. `tail` is kTorn unless the
// last one is.
Result<Anchor> ReadSurvivingAnchor(FileSystem& file_system, const std::string& path);
Status AppendToAnchor(FileSystem& file_system, const std::string& path, const AnchorLine& line);
// The file is cut back to its last record at this size, in passing.
inline constexpr std::size_t kAnchorBytesMax = std::size_t{1} << 20;
// Replaces the file.
Status WriteAnchor(FileSystem& file_system, const std::string& path,
                   const std::vector<AnchorLine>& lines);

// The end of the audit chain, and what the anchor lacks of it.
struct ChainState {
  AnchorLine head;                    // sequence 0: an empty store
  Anchor anchor;                      // as read
  std::optional<AnchorLine> missing;  // the head, if a crash kept it from the anchor
};

enum class ChainCheck { kFromAnchor, kWhole };

// Reads the anchor and the chain from the anchor's first line on (or from entry 1: kWhole) and
// compares them. Writes nothing. kDataLoss:
//   "behind_anchor"
//       the chain ends before the anchor: acknowledged changes are lost; the message names their
//       sequences
//   "anchor_mismatch"  the chain has another entry than the anchor names
//   "anchor_corrupt"   the anchor is damaged or missing      "audit_broken"  the chain is damaged
Result<ChainState> CheckAgainstAnchor(kv::KvStore& store, FileSystem& file_system,
                                      const std::string& path,
                                      ChainCheck check = ChainCheck::kFromAnchor);

// Makes the anchor end in the state's head: appends what is missing, or replaces the file if its
// end is torn or it has grown too long.
Status CompleteAnchor(FileSystem& file_system, const std::string& path, const ChainState& state);

}  // namespace emend::storage::records
