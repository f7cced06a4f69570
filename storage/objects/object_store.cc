#include "storage/objects/object_store.h"

#include <algorithm>
#include <cctype>

#include "storage/objects/keys.h"

namespace emend::storage::objects {
namespace {

// larger ones would swell the write-ahead log
constexpr std::size_t kPayloadBytesMax = 64ULL << 20;

template <typename Id>
Result<std::string> ReadStored(const ObjectStore& objects, ObjectKind kind, const Id& id) {
  const std::string what = "reading " + std::string(ObjectKindName(kind)) + " " + id.Hex();
  auto found = objects.store().Get(FamilyOf(kind), ObjectKey(objects.repo(), kind, id.Raw()));
  if (!found.ok()) return found.status().WithContext(what);
  if (!found->has_value()) return NotFound(what + ": the repo does not have it");
  return std::move(**found);
}

Status ChangedBytes(ObjectKind kind, const std::string& asked, const std::string& found) {
  return DataLoss("reading " + std::string(ObjectKindName(kind)) + " " + asked +
                  ": the stored bytes hash to " + found + "; run `emend fsck`");
}

template <typename Id>
Result<std::string> ReadAddressed(const ObjectStore& objects, ObjectKind kind, const Id& id) {
  EMEND_ASSIGN_OR_RETURN(std::string stored, ReadStored(objects, kind, id));
  if (const Digest found = Sha256(stored); found != id.digest())
    return ChangedBytes(kind, id.Hex(), found.Hex());
  return stored;
}

template <typename Id, typename Decode>
auto ReadDecoded(const ObjectStore& objects, ObjectKind kind, const Id& id, const Decode& decode)
    -> decltype(decode(std::string_view())) {
  EMEND_ASSIGN_OR_RETURN(const std::string stored, ReadStored(objects, kind, id));
  auto value = decode(stored);
  if (!value.ok())
    return value.status().WithContext("reading " + std::string(ObjectKindName(kind)) + " " +
                                      id.Hex());
  return value;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string_view ObjectKindName(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kEdit: return "edit";
    case ObjectKind::kState: return "state";
    case ObjectKind::kManifest: return "manifest of state";
    case ObjectKind::kObject: return "object";
    case ObjectKind::kPayload: return "payload";
    case ObjectKind::kCommit: return "commit";
  }
  return "unknown";
}

kv::ColumnFamily FamilyOf(ObjectKind kind) {
  if (kind == ObjectKind::kPayload) return kv::ColumnFamily::kPayload;
  return kind == ObjectKind::kCommit ? kv::ColumnFamily::kCommits : kv::ColumnFamily::kObjects;
}

std::string ObjectKey(const RepoId& repo, ObjectKind kind, std::string_view raw_id) {
  EMEND_CHECK(repo.value().size() == kRepoIdBytes,
              "a repo id has " + std::to_string(repo.value().size()) + " bytes, expected 16");
  std::string key = repo.value();
  key.push_back(static_cast<char>(kind));
  return key.append(raw_id);
}

Result<ObjectId> ObjectStore::PutPayload(kv::WriteBatch& batch, std::string_view stored) const {
  if (stored.size() > kPayloadBytesMax) {
    return ResourceExhausted("storing a payload of " + std::to_string(stored.size()) +
                             " bytes: at most " + std::to_string(kPayloadBytesMax) +
                             " are taken; split the edit into several");
  }
  const ObjectId id(Sha256(stored));
  batch.Put(kv::ColumnFamily::kPayload, ObjectKey(repo_, ObjectKind::kPayload, id.Raw()), stored);
  return id;
}

EditId ObjectStore::PutEdit(kv::WriteBatch& batch, const Edit& edit) const {
  const EditId id = IdOf(edit);
  batch.Put(kv::ColumnFamily::kObjects, ObjectKey(repo_, ObjectKind::kEdit, id.Raw()),
            EncodeEdit(edit));
  return id;
}

StateId ObjectStore::PutState(kv::WriteBatch& batch, const State& state) const {
  const StateId id = IdOf(state);
  batch.Put(kv::ColumnFamily::kObjects, ObjectKey(repo_, ObjectKind::kState, id.Raw()),
            EncodeState(state));
  return id;
}

void ObjectStore::PutManifest(kv::WriteBatch& batch, const Manifest& manifest) const {
  batch.Put(kv::ColumnFamily::kObjects,
            ObjectKey(repo_, ObjectKind::kManifest, manifest.state.Raw()),
            EncodeManifest(manifest));
}

CommitId ObjectStore::PutCommit(kv::WriteBatch& batch, const Commit& commit) const {
  const std::string stored = EncodeCommit(commit);
  const CommitId id(Sha256(stored));
  batch.Put(kv::ColumnFamily::kCommits, ObjectKey(repo_, ObjectKind::kCommit, id.Raw()), stored);
  return id;
}

ObjectId ObjectStore::PutObject(kv::WriteBatch& batch, std::string_view bytes) const {
  const ObjectId id(Sha256(bytes));
  batch.Put(kv::ColumnFamily::kObjects, ObjectKey(repo_, ObjectKind::kObject, id.Raw()), bytes);
  return id;
}

Result<std::string> ObjectStore::ReadPayload(const ObjectId& id) const {
  return ReadAddressed(*this, ObjectKind::kPayload, id);
}
Result<std::string> ObjectStore::ReadObject(const ObjectId& id) const {
  return ReadAddressed(*this, ObjectKind::kObject, id);
}

Result<Edit> ObjectStore::ReadEdit(const EditId& id) const {
  EMEND_ASSIGN_OR_RETURN(Edit edit, ReadDecoded(*this, ObjectKind::kEdit, id, DecodeEdit));
  if (const EditId found = IdOf(edit); found != id)
    return ChangedBytes(ObjectKind::kEdit, id.Hex(), found.Hex());
  return edit;
}

Result<State> ObjectStore::ReadState(const StateId& id) const {
  EMEND_ASSIGN_OR_RETURN(State state, ReadDecoded(*this, ObjectKind::kState, id, DecodeState));
  if (const StateId found = IdOf(state); found != id)
    return ChangedBytes(ObjectKind::kState, id.Hex(), found.Hex());
  return state;
}

Result<Manifest> ObjectStore::ReadManifest(const StateId& id) const {
  EMEND_ASSIGN_OR_RETURN(Manifest manifest,
                         ReadDecoded(*this, ObjectKind::kManifest, id, DecodeManifest));
  if (manifest.state != id)
    return DataLoss("reading manifest of state " + id.Hex() + ": found that of state " +
                    manifest.state.Hex());
  return manifest;
}

Result<Commit> ObjectStore::ReadCommit(const CommitId& id) const {
  EMEND_ASSIGN_OR_RETURN(const std::string stored, ReadAddressed(*this, ObjectKind::kCommit, id));
  Result<Commit> commit = DecodeCommit(stored);
  if (!commit.ok()) return commit.status().WithContext("reading commit " + id.Hex());
  return commit;
}

Result<std::vector<CommitId>> ObjectStore::FindCommits(std::string_view hex_prefix,
                                                       std::size_t count_max) const {
  std::string hex(hex_prefix);
  std::transform(hex.begin(), hex.end(), hex.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!std::all_of(hex.begin(), hex.end(), [](char c) { return HexValue(c) >= 0; })) {
    return InvalidArgument("looking for commits by the prefix \"" + hex +
                           "\": expected hexadecimal digits");
  }
  std::string raw;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    raw.push_back(static_cast<char>(HexValue(hex[i]) * 16 + HexValue(hex[i + 1])));
  // An odd last digit is half a byte: the scan begins at it, and the comparison below ends it.
  const std::string start =
      hex.size() % 2 == 0 ? "" : std::string(1, static_cast<char>(HexValue(hex.back()) * 16));
  std::vector<CommitId> ids;
  if (count_max == 0) return ids;
  Status inner;
  const auto visit = [&](std::string_view key, std::string_view) {
    auto id = CommitId::FromRaw(key.substr(kRepoIdBytes + 1));
    if (!id.ok()) {
      inner = id.status();
      return false;
    }
    if (!id->Hex().starts_with(hex)) return false;
    ids.push_back(*id);
    return ids.size() < count_max;
  };
  EMEND_RETURN_IF_ERROR(store_->Scan(kv::ColumnFamily::kCommits,
                                     ObjectKey(repo_, ObjectKind::kCommit, raw), start, visit));
  EMEND_RETURN_IF_ERROR(inner);
  return ids;
}

}  // namespace emend::storage::objects
