// A repo: one base model and the history of edits on it: commits, branches, tags, reflog.
//
//   EMEND_ASSIGN_OR_RETURN(Repository repo, Repository::Open(store, RepoName("atlas")));
//   EMEND_ASSIGN_OR_RETURN(CommitId id, repo.Resolve("main~1"));
//   journal.Commit(principal, [&](Transaction& t) { return repo.Advance(t, "main", head,
//       new_commit).status(); });
//
// Reads see the last committed state; writes go into a journal transaction and become visible, all
// together, when it commits. Writes see what the same transaction has put before, so that chained
// commits can be made in one. Names of refs follow git-check-ref-format, ASCII, at most 128
// characters; what looks like a commit's full id is refused. Thread-safe; blocks on the disk.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/objects/edit_set.h"
#include "storage/objects/object_store.h"
#include "storage/records/journal.h"

namespace emend::storage::history {

struct RepoRecord {
  RepoName name;
  objects::RepoId id;
  BaseId base;
  std::string base_encoded;  // objects::EncodeBase
  // what of the imported folder is not the base's: name -> why
  std::map<std::string, std::string> left_out;
  std::int64_t created_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kRepo, 2};
  static auto Fields(auto& m) {
    return std::tie(m.name, m.id, m.base, m.base_encoded, m.left_out, m.created_ms);
  }
};

// Stored: never renumber.
enum class RefKind : std::uint8_t { kBranch = 1, kTag = 2 };
constexpr RefKind LastOf(RefKind) { return RefKind::kTag; }

struct Ref {
  RefKind kind = RefKind::kBranch;
  std::string name;
  CommitId commit;

  static constexpr RecordHead kHead = {RecordType::kRef, 1};
  static auto Fields(auto& m) { return std::tie(m.kind, m.name, m.commit); }
};

struct ReflogEntry {
  std::uint64_t index = 0;  // from 0, oldest first
  CommitId from;            // zero: created
  CommitId to;              // zero: deleted
  std::string principal;
  std::int64_t time_ms = 0;
  std::string reason;  // "commit: ...", "revert: ...", "reset: ..."

  // after its head and the branch's name
  static auto Fields(auto& m) {
    return std::tie(m.index, m.from, m.to, m.principal, m.time_ms, m.reason);
  }
};

struct NumberedCommit {
  CommitId id;
  objects::Commit commit;
};

// [a-z0-9][a-z0-9._-]{0,63}; kInvalidArgument says what is wrong.
Status CheckRepoName(std::string_view name);
Status CheckRefName(std::string_view name);

// By which way a branch moves. Through kPush whoever may write moves it, but for branches that are
// protected (protection.h); through kReview goes what was approved, and nothing else.
enum class Door : std::uint8_t { kPush, kReview };

// The branch that a new repo has, and that is meant where none is named.
inline constexpr char kDefaultBranch[] = "main";

class Repository {
 public:
  // A new repo with an import commit on the branch "main". kAlreadyExists names the repo. Puts the
  // base, the empty set, its state, manifest and commit.
  static Result<CommitId> Create(records::Transaction& transaction, const RepoRecord& record,
                                 std::string_view message);
  // kNotFound names the repo and those there are.
  static Result<Repository> Open(kv::KvStore& store, const RepoName& name);
  static Result<std::vector<RepoRecord>> List(kv::KvStore& store);
  // Takes the repo and all that is recorded under its id out of the store, for good. The audit
  // chain keeps that it was there, and who removed it.
  void Remove(records::Transaction& transaction) const;

  const RepoRecord& record() const { return record_; }
  const objects::ObjectStore& objects() const { return objects_; }

  // A branch, a tag, at least 4 hex digits of a commit, "@{n}" after a branch (its nth earlier
  // value), any number of "~n" and "^" after these. kNotFound says what was looked for;
  // kInvalidArgument ("ambiguous_revision") lists the candidates.
  Result<CommitId> Resolve(std::string_view revision) const;
  Result<objects::Commit> ReadCommit(const CommitId& id) const { return objects_.ReadCommit(id); }
  // First-parent and merged history, newest first, at most `count_max`, beginning at `from`.
  // Children come before parents.
  Result<std::vector<NumberedCommit>> Log(const CommitId& from, std::size_t count_max) const;
  // Of each of these edits the newest commit of `from`'s history that added it. A merge only brings
  // in what others added, and is named for nothing; those that no commit added are not there.
  Result<std::map<EditId, NumberedCommit>> AddedBy(const CommitId& from,
                                                   const std::vector<EditId>& edits) const;
  // The active edits of a state, sorted.
  Result<std::vector<EditId>> Edits(const StateId& state) const;
  Result<objects::EditSetDiff> Diff(const StateId& from, const StateId& to) const;

  // kNotFound if there is no such ref.
  Result<Ref> ReadRef(RefKind kind, std::string_view name) const;
  Result<std::vector<Ref>> ListRefs() const;
  // Newest first; those before the entry of this index, if one is given: entries only come on top,
  // so that an index stays the same place for ever. kNotFound for a branch that never was.
  Result<std::vector<ReflogEntry>> Reflog(std::string_view branch, std::size_t count_max,
                                          std::optional<std::uint64_t> before = std::nullopt) const;

  // The state of `parent`'s set − removed + added: puts its trie nodes and state record into the
  // batch. Nothing points to it until a commit does.
  Result<StateId> DeriveState(kv::WriteBatch& batch, const StateId& parent,
                              const std::vector<EditId>& added,
                              const std::vector<EditId>& removed) const;

  // Puts the commit and moves the branch from `expected` to it, with a reflog entry and an audit
  // act. kConflict ("stale_head") names the head that was found. The commit's state, manifest,
  // edits and payloads must have been put before, or in this batch: kNotFound names what is not
  // there (payloads: see fsck). kInvalidArgument unless the first parent is `expected` and the
  // added and removed edits are those between the two states. kPermissionDenied
  // ("protected_branch") through the wrong door. Failpoint: history.advance.
  Result<CommitId> Advance(records::Transaction& transaction, std::string_view branch,
                           const CommitId& expected, const objects::Commit& commit,
                           Door door = Door::kPush) const;
  // Moves, creates (`expected` zero) or deletes (`to` zero) a ref, and audits it. kConflict
  // ("stale_head"), kAlreadyExists for a tag that is there, kNotFound for a ref or a commit that is
  // not; kPermissionDenied ("protected_branch"): a protected branch is only created, at the head of
  // another one.
  Status MoveRef(records::Transaction& transaction, const Ref& to, const CommitId& expected,
                 std::string_view reason) const;

 private:
  Repository(kv::KvStore& store, RepoRecord record)
      : record_(std::move(record)), objects_(store, record_.id) {}

  RepoRecord record_;
  objects::ObjectStore objects_;
};

}  // namespace emend::storage::history
