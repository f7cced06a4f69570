#include "storage/history/ref_records.h"

#include <limits>

#include "storage/base/archive.h"
#include "storage/objects/keys.h"

namespace emend::storage::history {
namespace {

constexpr std::uint16_t kReflogVersion = 1;
constexpr std::size_t kIndexBytes = sizeof(std::uint64_t);

std::string Guarded(std::string body) {
  Encoder crc;
  crc.U32(Crc32c(body));
  return std::move(body) + crc.bytes();
}

// The bytes before the CRC, checked.
Result<std::string_view> Unguarded(std::string_view stored, std::string_view what) {
  if (stored.size() < sizeof(std::uint32_t))
    return DataLoss("decoding " + std::string(what) + ": found " + std::to_string(stored.size()) +
                    " bytes");
  const std::string_view body = stored.substr(0, stored.size() - sizeof(std::uint32_t));
  if (Decoder(stored.substr(body.size())).U32() != Crc32c(body))
    return DataLoss("decoding " + std::string(what) + ": its checksum does not fit its bytes");
  return body;
}

template <typename T>
Result<T> DecodeGuarded(std::string_view stored, std::string_view what) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view body, Unguarded(stored, what));
  Result<T> value = DecodeRecord<T>(body);
  if (!value.ok()) return value.status().WithContext("decoding " + std::string(what));
  return value;
}

std::uint64_t ReadBigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

}  // namespace

std::string RepoKey(std::string_view name) { return std::string(kRepoKeyPrefix).append(name); }

std::string RefKey(const objects::RepoId& repo, RefKind kind, std::string_view name) {
  std::string key = repo.value();
  key.push_back(static_cast<char>(kind));
  return key.append(name);
}

std::string ReflogPrefix(const objects::RepoId& repo, std::string_view branch) {
  Encoder out;
  out.Raw(repo.value());
  out.Text(branch);
  return std::move(out).bytes();
}

std::string ReflogKey(const objects::RepoId& repo, std::string_view branch, std::uint64_t index) {
  const std::uint64_t stored = std::numeric_limits<std::uint64_t>::max() - index;
  std::string key = ReflogPrefix(repo, branch);
  for (std::size_t i = kIndexBytes; i-- > 0;) key.push_back(static_cast<char>(stored >> (8 * i)));
  return key;
}

Result<ReflogPlace> ParseReflogKey(std::string_view key) {
  Decoder in(key);
  in.Raw(objects::kRepoIdBytes);
  ReflogPlace place;
  place.branch = in.Text();
  place.index = std::numeric_limits<std::uint64_t>::max() - ReadBigEndian(in.Raw(kIndexBytes));
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading a reflog key"));
  return place;
}

std::string EncodeRepo(const RepoRecord& record) { return Guarded(EncodeRecord(record)); }
Result<RepoRecord> DecodeRepo(std::string_view stored) {
  return DecodeGuarded<RepoRecord>(stored, "a repo's record");
}
std::string EncodeRef(const Ref& ref) { return Guarded(EncodeRecord(ref)); }
Result<Ref> DecodeRef(std::string_view stored) { return DecodeGuarded<Ref>(stored, "a ref"); }

std::string EncodeReflogEntry(std::string_view branch, const ReflogEntry& entry) {
  Encoder out(RecordType::kReflogEntry, kReflogVersion);
  out.Text(branch);
  WriteFields(out, entry);
  return Guarded(std::move(out).bytes());
}

Result<ReflogEntry> DecodeReflogEntry(std::string_view branch, std::string_view stored) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view body, Unguarded(stored, "a reflog entry"));
  Decoder in(body);
  in.Record(RecordType::kReflogEntry, kReflogVersion);
  ReflogEntry entry;
  const std::string_view found = in.TextView();
  if (in.ok() && found != branch)
    in.Fail("found an entry of branch " + std::string(found) + ", expected " + std::string(branch));
  ReadFields(in, entry);
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("decoding a reflog entry"));
  return entry;
}

std::string_view RefKindName(RefKind kind) { return kind == RefKind::kBranch ? "branch" : "tag"; }

Result<std::optional<Ref>> FindRef(kv::KvStore& store, const objects::RepoId& repo, RefKind kind,
                                   std::string_view name) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                         store.Get(kv::ColumnFamily::kRefs, RefKey(repo, kind, name)));
  if (!stored) return std::optional<Ref>();
  const std::string what = "reading " + std::string(RefKindName(kind)) + " " + std::string(name);
  Result<Ref> ref = DecodeRef(*stored);
  if (!ref.ok()) return ref.status().WithContext(what);
  if (ref->kind != kind || ref->name != name)
    return DataLoss(what + ": found " + std::string(RefKindName(ref->kind)) + " " + ref->name +
                    " in its place");
  return std::optional<Ref>(*ref);
}

Result<std::optional<ReflogEntry>> FindNewestEntry(kv::KvStore& store, const objects::RepoId& repo,
                                                   std::string_view branch) {
  std::optional<ReflogEntry> newest;
  Status inner;
  const auto visit = [&](std::string_view, std::string_view value) {
    Result<ReflogEntry> entry = DecodeReflogEntry(branch, value);
    if (entry.ok()) newest = *entry;
    inner = entry.status();
    return false;
  };
  EMEND_RETURN_IF_ERROR(
      store.Scan(kv::ColumnFamily::kReflog, ReflogPrefix(repo, branch), "", visit));
  EMEND_RETURN_IF_ERROR(inner.WithContext("reading the reflog of branch " + std::string(branch)));
  return newest;
}

}  // namespace emend::storage::history
