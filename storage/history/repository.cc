#include "storage/history/repository.h"

#include "storage/history/batch_view.h"
#include "storage/history/ref_records.h"
#include "storage/objects/keys.h"

namespace emend::storage::history {
namespace {

constexpr std::size_t kNamesShownMax = 20;

Status CheckNew(kv::KvStore& store, const RepoRecord& record) {
  const std::string& name = record.name.value();
  EMEND_RETURN_IF_ERROR(CheckRepoName(name));
  EMEND_ASSIGN_OR_RETURN(const std::vector<RepoRecord> repos, Repository::List(store));
  for (const RepoRecord& other : repos) {
    if (other.name == record.name)
      return {StatusCode::kAlreadyExists,
              "creating repo " + name + ": there is a repo of that name"};
    if (other.id == record.id)
      return {StatusCode::kAlreadyExists,
              "creating repo " + name + ": its random id is that of repo " + other.name.value()};
  }
  if (record.id.value().size() != objects::kRepoIdBytes) {
    return InvalidArgument("creating repo " + name + ": its id has " +
                           std::to_string(record.id.value().size()) + " bytes, expected 16");
  }
  Result<objects::Base> base = objects::DecodeBase(record.base_encoded);
  if (!base.ok()) return InvalidArgument("creating repo " + name + ": " + base.status().message());
  if (objects::IdOf(*base) != record.base) {
    return InvalidArgument("creating repo " + name + ": its base has the id " +
                           objects::IdOf(*base).Hex() + ", expected " + record.base.Hex());
  }
  return OkStatus();
}

// The base, the state without edits and the commit on it.
CommitId PutImport(records::Transaction& transaction, const RepoRecord& record,
                   std::string_view message) {
  kv::WriteBatch& batch = transaction.batch();
  const objects::ObjectStore objects(transaction.store(), record.id);
  objects.PutObject(batch, record.base_encoded);
  const StateId state =
      objects.PutState(batch, {record.base, objects::EditSets(objects).Empty(batch)});
  objects.PutManifest(batch, {state, {}});
  objects::Commit commit;
  commit.kind = objects::CommitKind::kImport;
  commit.base = record.base;
  commit.state = state;
  commit.author = transaction.principal().name;
  commit.token_id = transaction.principal().token_id;
  commit.time_ms = transaction.time_ms();
  commit.message = message;
  return objects.PutCommit(batch, commit);
}

}  // namespace

Result<CommitId> Repository::Create(records::Transaction& transaction, const RepoRecord& record,
                                    std::string_view message) {
  EMEND_RETURN_IF_ERROR(CheckNew(transaction.store(), record));
  transaction.batch().Put(kv::ColumnFamily::kMeta, RepoKey(record.name.value()),
                          EncodeRepo(record));
  transaction.Audit({"repo.create", {{"repo", record.name.value()}, {"base", record.base.Hex()}}});
  const CommitId commit = PutImport(transaction, record, message);
  const Repository repo(transaction.store(), record);
  EMEND_RETURN_IF_ERROR(repo.MoveRef(transaction, {RefKind::kBranch, kDefaultBranch, commit},
                                     CommitId(), "import: " + std::string(message)));
  return commit;
}

Result<Repository> Repository::Open(kv::KvStore& store, const RepoName& name) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                         store.Get(kv::ColumnFamily::kMeta, RepoKey(name.value())));
  if (stored) {
    Result<RepoRecord> record = DecodeRepo(*stored);
    if (!record.ok()) return record.status().WithContext("opening repo " + name.value());
    if (record->name != name)
      return DataLoss("opening repo " + name.value() + ": found the record of repo " +
                      record->name.value() + " in its place");
    return Repository(store, std::move(*record));
  }
  std::string there;
  std::size_t count = 0;
  const auto visit = [&](std::string_view key, std::string_view) {
    there.append(count == 0 ? "" : ", ").append(key.substr(kRepoKeyPrefix.size()));
    return ++count < kNamesShownMax;
  };
  EMEND_RETURN_IF_ERROR(store.Scan(kv::ColumnFamily::kMeta, kRepoKeyPrefix, "", visit));
  return NotFound("opening repo " + name.value() + ": there is none; found " +
                  (count == 0 ? "no repo at all, make one with `emend init`" : there));
}

Result<std::vector<RepoRecord>> Repository::List(kv::KvStore& store) {
  std::vector<RepoRecord> records;
  Status inner;
  const auto visit = [&](std::string_view key, std::string_view value) {
    Result<RepoRecord> record = DecodeRepo(value);
    inner = record.status().WithContext("listing repos, at " + std::string(key));
    if (record.ok()) records.push_back(std::move(*record));
    return inner.ok();
  };
  EMEND_RETURN_IF_ERROR(store.Scan(kv::ColumnFamily::kMeta, kRepoKeyPrefix, "", visit));
  EMEND_RETURN_IF_ERROR(inner);
  return records;
}

void Repository::Remove(records::Transaction& transaction) const {
  using enum kv::ColumnFamily;
  kv::WriteBatch& batch = transaction.batch();
  for (const kv::ColumnFamily family :
       {kMeta, kObjects, kPayload, kRefs, kReflog, kCommits, kProposals, kReviews})
    batch.Clear(family, record_.id.value());
  batch.Delete(kMeta, RepoKey(record_.name.value()));
  transaction.Audit(
      {"repo.remove", {{"repo", record_.name.value()}, {"base", record_.base.Hex()}}});
}

Result<std::vector<EditId>> Repository::Edits(const StateId& state) const {
  EMEND_ASSIGN_OR_RETURN(const objects::State found, objects_.ReadState(state));
  return objects::EditSets(objects_).List(found.trie_root);
}

Result<objects::EditSetDiff> Repository::Diff(const StateId& from, const StateId& to) const {
  EMEND_ASSIGN_OR_RETURN(const objects::State a, objects_.ReadState(from));
  EMEND_ASSIGN_OR_RETURN(const objects::State b, objects_.ReadState(to));
  return objects::EditSets(objects_).Diff(a.trie_root, b.trie_root);
}

Result<Ref> Repository::ReadRef(RefKind kind, std::string_view name) const {
  EMEND_ASSIGN_OR_RETURN(const std::optional<Ref> ref,
                         FindRef(objects_.store(), record_.id, kind, name));
  if (!ref)
    return NotFound("reading " + std::string(RefKindName(kind)) + " " + std::string(name) +
                    " of repo " + record_.name.value() + ": there is none");
  return *ref;
}

Result<std::vector<Ref>> Repository::ListRefs() const {
  std::vector<Ref> refs;
  Status inner;
  const auto visit = [&](std::string_view key, std::string_view value) {
    Result<Ref> ref = DecodeRef(value);
    inner = ref.status().WithContext("listing the refs of repo " + record_.name.value() + ", at " +
                                     std::string(key.substr(objects::kRepoIdBytes + 1)));
    if (ref.ok()) refs.push_back(std::move(*ref));
    return inner.ok();
  };
  EMEND_RETURN_IF_ERROR(
      objects_.store().Scan(kv::ColumnFamily::kRefs, record_.id.value(), "", visit));
  EMEND_RETURN_IF_ERROR(inner);
  return refs;
}

Result<std::vector<ReflogEntry>> Repository::Reflog(std::string_view branch, std::size_t count_max,
                                                    std::optional<std::uint64_t> before) const {
  const std::string what =
      "reading the reflog of branch " + std::string(branch) + " of repo " + record_.name.value();
  std::vector<ReflogEntry> entries;
  if (before == 0) return entries;  // there is none before the first
  Status inner;
  const auto visit = [&](std::string_view, std::string_view value) {
    if (entries.size() == count_max) return false;
    Result<ReflogEntry> entry = DecodeReflogEntry(branch, value);
    inner = entry.status().WithContext(what);
    if (entry.ok()) entries.push_back(std::move(*entry));
    return inner.ok();
  };
  const std::string prefix = ReflogPrefix(record_.id, branch);
  const std::string start =
      before ? ReflogKey(record_.id, branch, *before - 1).substr(prefix.size()) : std::string();
  EMEND_RETURN_IF_ERROR(objects_.store().Scan(kv::ColumnFamily::kReflog, prefix, start, visit));
  EMEND_RETURN_IF_ERROR(inner);
  // A branch that ever was has moved at least once; one that was deleted keeps its reflog.
  if (entries.empty() && count_max > 0) return NotFound(what + ": there is none");
  return entries;
}

Result<StateId> Repository::DeriveState(kv::WriteBatch& batch, const StateId& parent,
                                        const std::vector<EditId>& added,
                                        const std::vector<EditId>& removed) const {
  BatchView view(objects_.store(), batch);
  const objects::ObjectStore objects(view, record_.id);
  EMEND_ASSIGN_OR_RETURN(const objects::State from, objects.ReadState(parent));
  EMEND_ASSIGN_OR_RETURN(const ObjectId root,
                         objects::EditSets(objects).Change(batch, from.trie_root, added, removed));
  return objects.PutState(batch, {from.base, root});
}

}  // namespace emend::storage::history
