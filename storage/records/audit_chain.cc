#include "storage/records/audit_chain.h"

#include <optional>

#include "storage/base/encoding.h"

namespace emend::storage::records {
namespace {

constexpr std::size_t kKeyBytes = 8;
constexpr std::size_t kPairBytesMin = 8;  // two empty texts

Status Broken(std::string what) { return {StatusCode::kDataLoss, "audit_broken", std::move(what)}; }

std::uint64_t SequenceOfKey(std::string_view key) {
  std::uint64_t sequence = 0;
  for (const char c : key) sequence = sequence << 8 | static_cast<std::uint8_t>(c);
  return sequence;
}

// One stored entry against its key and the hash of the entry before it.
Result<AuditEntry> ReadLink(std::string_view key, std::string_view value, std::uint64_t expected,
                            const std::optional<Digest>& previous) {
  if (key.size() != kKeyBytes || SequenceOfKey(key) != expected) {
    return Broken("reading audit entry " + std::to_string(expected) +
                  ": it is missing, the next one found is " + std::to_string(SequenceOfKey(key)));
  }
  Result<AuditEntry> entry = DecodeAuditEntry(value);
  if (!entry.ok())
    return entry.status().WithContext("reading audit entry " + std::to_string(expected));
  if (entry->sequence != expected) {
    return Broken("reading audit entry " + std::to_string(expected) +
                  ": found the entry of sequence " + std::to_string(entry->sequence));
  }
  if (previous && entry->previous != *previous) {
    return Broken("reading audit entry " + std::to_string(expected) + ": it is linked to " +
                  entry->previous.Hex() + ", but the entry before it has the hash " +
                  previous->Hex());
  }
  return entry;
}

}  // namespace

std::string AuditKey(std::uint64_t sequence) {
  std::string key(kKeyBytes, '\0');
  for (std::size_t i = 0; i < kKeyBytes; ++i)
    key[i] = static_cast<char>(sequence >> (8 * (kKeyBytes - 1 - i)));
  return key;
}

std::string EncodeAuditEntry(const AuditEntry& entry) { return EncodeRecord(entry); }

Result<AuditEntry> DecodeAuditEntry(std::string_view bytes) {
  Result<AuditEntry> entry = DecodeRecord<AuditEntry>(bytes);
  if (!entry.ok()) return Broken(entry.status().message());
  return entry;
}

Status WalkChain(kv::KvStore& store, std::uint64_t first,
                 const std::function<bool(const AuditEntry&, const Digest&)>& visit) {
  std::uint64_t expected = first;
  std::optional<Digest> previous;
  if (first <= 1) {
    expected = 1;
    previous = Digest();
  }
  Status broken;
  const Status scanned = store.Scan(kv::ColumnFamily::kAudit, "", AuditKey(expected),
                                    [&](std::string_view key, std::string_view value) {
                                      const Result<AuditEntry> entry =
                                          ReadLink(key, value, expected, previous);
                                      if (!entry.ok()) {
                                        broken = entry.status();
                                        return false;
                                      }
                                      previous = Sha256(value);
                                      ++expected;
                                      return visit(*entry, *previous);
                                    });
  return broken.ok() ? scanned : broken;
}

}  // namespace emend::storage::records
