// The canonical encoding: everything that is hashed, stored or sent is written by Encoder and read
// by Decoder.
//
// Grammar (docs/reference/formats.md): fixed-width little-endian integers; a double is its IEEE-754
// bits as u64; bytes and text are a u32 length and the bytes; a list is a u32 count and the items;
// an optional is a u8 0 or 1 and the value; a record starts with a u16 type and a u16 version.
// There is exactly one encoding of a value, so equal values have equal hashes.
//
// Records list their fields once (storage/base/archive.h); by hand it is
//
//   Encoder out(RecordType::kCommit, 1);
//   out.Text(message);
//   Digest id = Sha256(out.bytes());
//
//   Decoder in(bytes);
//   std::uint16_t version = in.Record(RecordType::kCommit, /*newest=*/1);
//   std::string message = in.Text();
//   // one check at the end: any earlier failure sticks, reads after it return zero values
//   EMEND_RETURN_IF_ERROR(in.Finish());
//
// Thread-safety: none needed; both are used by one thread. A Decoder borrows its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/digest.h"
#include "storage/base/ids.h"
#include "storage/base/status.h"

namespace emend {

// Types of top-level records. Stored: never renumber, only append.
enum class RecordType : std::uint16_t {
  kBase = 1,
  kEdit = 2,
  kPayload = 3,
  kTrieNode = 4,
  kState = 5,
  kManifest = 6,
  kCommit = 7,
  kRef = 8,
  kReflogEntry = 9,
  kAuditEntry = 10,
  kOperation = 11,
  kIdempotency = 12,
  kAnchor = 13,
  kEvaluation = 14,
  kRepo = 15,
  kToken = 16,
  kStoreMeta = 17,
  kModel = 18,
  kStatistics = 19,
  kFact = 20,
  kSettings = 21,
  kTiles = 22,
  kStatisticsId = 23,    // what the id of covariances is the hash of
  kStatisticsFile = 24,  // what the digest of their file is the hash of
  kStoreNumber = 25,     // store epoch, generations
  kPastKeys = 26,        // a file between coordinator and workers, for the time of a solve
  kPreset = 27,
  kProtection = 28,
  kProposal = 29,
  kReview = 30,
  kCheck = 31,
  kFrame = 32,
  kMessage = 33,
  kProbeSuite = 34,
  kProbeSuiteHead = 35,
};

class Encoder {
 public:
  Encoder() = default;
  Encoder(RecordType type, std::uint16_t version);

  void U8(std::uint8_t value);
  void U16(std::uint16_t value);
  void U32(std::uint32_t value);
  void U64(std::uint64_t value);
  void I64(std::int64_t value) { U64(static_cast<std::uint64_t>(value)); }
  void F64(double value);
  void Bool(bool value) { U8(value ? 1 : 0); }
  // REQUIRES: fewer than 2^32 bytes.
  void Text(std::string_view bytes);
  // REQUIRES: count < 2^32.
  void Count(std::size_t count);
  void Raw(std::string_view bytes);  // no length: the reader must know it
  template <typename Tag>
  void Id(const ContentId<Tag>& id) {
    Raw(id.Raw());
  }

  const std::string& bytes() const& { return bytes_; }
  std::string bytes() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  // Reads a record head; fails unless the type matches and 1 <= version <= newest. Returns the
  // version.
  std::uint16_t Record(RecordType type, std::uint16_t newest);
  std::uint8_t U8();
  std::uint16_t U16();
  std::uint32_t U32();
  std::uint64_t U64();
  std::int64_t I64() { return static_cast<std::int64_t>(U64()); }
  double F64();
  bool Bool();  // fails on anything but 0 and 1
  std::string Text();
  std::string_view TextView();
  // A list's count; fails if fewer than count * item_bytes_min bytes are left, so that a lying
  // count cannot make the reader allocate.
  std::size_t Count(std::size_t item_bytes_min);
  std::string_view Raw(std::size_t size);
  template <typename Id>
  Id ReadId() {
    const std::string_view raw = Raw(Digest::kSize);
    if (!ok()) return Id();
    return Id(*Digest::FromRaw(raw));
  }

  bool ok() const { return status_.ok(); }
  std::size_t remaining() const { return rest_.size(); }
  // Records a failure found by the caller; the first one sticks.
  void Fail(std::string what);
  // kDataLoss if any read failed or bytes are left over.
  Status Finish() const;
  // Like Finish, but left-over bytes are allowed.
  const Status& status() const { return status_; }

 private:
  std::string_view Take(std::size_t size);

  std::string_view rest_;
  std::size_t offset_ = 0;
  Status status_;
};

}  // namespace emend
