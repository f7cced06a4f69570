#include "storage/base/failpoint.h"
#include "storage/history/batch_view.h"
#include "storage/history/protection.h"
#include "storage/history/ref_records.h"
#include "storage/history/repository.h"

namespace emend::storage::history {
namespace {

std::string Describe(const RepoRecord& record, RefKind kind, std::string_view name) {
  return std::string(RefKindName(kind)) + " " + std::string(name) + " of repo " +
         record.name.value();
}

Status AlreadyThere(const RepoRecord& record, const Ref& to, const CommitId& found) {
  const std::string& repo = record.name.value();
  const std::string instead =
      to.kind == RefKind::kTag
          ? "a tag does not move: delete it first (emend tag " + repo + " -d " + to.name + ")"
          : "choose another name, or move it (emend reset " + repo + "@" + to.name + " REVISION)";
  return {StatusCode::kAlreadyExists, "creating " + Describe(record, to.kind, to.name) +
                                          ": it is there, at " + found.Hex() + "; " + instead};
}

Status StaleHead(const std::string& ref, const CommitId& expected, const CommitId& found) {
  const std::string now = found.IsZero() ? "does not exist" : "is at " + found.Hex();
  return {StatusCode::kConflict, "stale_head",
          "moving " + ref + ": it " + now + ", expected " + expected.Hex() +
              "; read it again and retry"};
}

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

// Writes a move that has been checked: the ref, the reflog entry (branches have one), nothing else.
Status PutMove(records::Transaction& transaction, kv::KvStore& view, const objects::RepoId& repo,
               const Ref& to, const CommitId& from, std::string_view reason) {
  const std::string key = RefKey(repo, to.kind, to.name);
  if (to.kind == RefKind::kBranch) {
    EMEND_ASSIGN_OR_RETURN(const std::optional<ReflogEntry> newest,
                           FindNewestEntry(view, repo, to.name));
    const std::uint64_t index = newest ? newest->index + 1 : 0;
    const ReflogEntry entry{index,
                            from,
                            to.commit,
                            transaction.principal().name,
                            transaction.time_ms(),
                            std::string(reason)};
    transaction.batch().Put(kv::ColumnFamily::kReflog, ReflogKey(repo, to.name, index),
                            EncodeReflogEntry(to.name, entry));
  }
  if (to.commit.IsZero()) {
    transaction.batch().Delete(kv::ColumnFamily::kRefs, key);
  } else {
    transaction.batch().Put(kv::ColumnFamily::kRefs, key, EncodeRef(to));
  }
  return OkStatus();
}

Status CheckCompareAndSwap(const std::string& what, const std::optional<Ref>& found,
                           const CommitId& expected) {
  if (!found && !expected.IsZero()) return NotFound("moving " + what + ": there is none");
  const CommitId head = found ? found->commit : CommitId();
  if (head == expected) return OkStatus();
  return StaleHead(what, expected, head);
}

// A branch and a tag of one name could not be told apart.
Status CheckNameIsFree(kv::KvStore& view, const RepoRecord& record, const Ref& to) {
  const RefKind other = to.kind == RefKind::kBranch ? RefKind::kTag : RefKind::kBranch;
  EMEND_ASSIGN_OR_RETURN(const std::optional<Ref> taken, FindRef(view, record.id, other, to.name));
  if (!taken) return OkStatus();
  return {StatusCode::kAlreadyExists, "creating " + Describe(record, to.kind, to.name) + ": a " +
                                          std::string(RefKindName(other)) +
                                          " has that name; choose another"};
}

Status NotWhole(const CommitId& id, const Status& status) {
  return status.WithContext("committing " + id.Hex() + ", which needs what is not there");
}

// What has a covered name begins where a branch is of which as much is asked, or not at all.
Status CheckMayMove(const Repository& repo, kv::KvStore& view, const Ref& to, bool is_new) {
  if (to.kind == RefKind::kTag && !is_new) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const auto rule, FindProtection(view, repo.record().id, to.name));
  if (!rule) return OkStatus();
  if (is_new) {
    EMEND_ASSIGN_OR_RETURN(const std::vector<Ref> refs, repo.ListRefs());
    for (const Ref& ref : refs) {
      if (ref.kind != RefKind::kBranch || ref.commit != to.commit) continue;
      EMEND_ASSIGN_OR_RETURN(const auto there, FindProtection(view, repo.record().id, ref.name));
      if (there && AsksAll(*there, *rule)) return OkStatus();
    }
  }
  return CheckUnprotected(view, repo.record(), to.name);
}

// What a commit points to, all through the batch: parents, state, manifest, added edits; its sets
// against its states.
Status CheckWhole(const objects::ObjectStore& objects, const CommitId& id,
                  const objects::Commit& commit) {
  const auto parent = objects.ReadCommit(commit.parents.front());
  if (!parent.ok()) return NotWhole(id, parent.status());
  for (const CommitId& other : commit.parents)
    EMEND_RETURN_IF_ERROR(NotWhole(id, objects.ReadCommit(other).status()));
  const auto state = objects.ReadState(commit.state);
  if (!state.ok()) return NotWhole(id, state.status());
  EMEND_RETURN_IF_ERROR(NotWhole(id, objects.ReadManifest(commit.state).status()));
  for (const EditId& edit : commit.added)
    EMEND_RETURN_IF_ERROR(NotWhole(id, objects.ReadEdit(edit).status()));
  const auto before = objects.ReadState(parent->state);
  if (!before.ok()) return NotWhole(id, before.status());
  EMEND_ASSIGN_OR_RETURN(const objects::EditSetDiff diff,
                         objects::EditSets(objects).Diff(before->trie_root, state->trie_root));
  if (state->base != commit.base || diff.added != commit.added || diff.removed != commit.removed) {
    return InvalidArgument(
        "committing " + id.Hex() +
        ": its base, added or removed edits are not those of its state against its first parent's");
  }
  return OkStatus();
}

}  // namespace

Result<CommitId> Repository::Advance(records::Transaction& transaction, std::string_view branch,
                                     const CommitId& expected, const objects::Commit& commit,
                                     Door door) const {
  const std::string what = Describe(record_, RefKind::kBranch, branch);
  BatchView view(transaction.store(), transaction.batch());
  EMEND_ASSIGN_OR_RETURN(const std::optional<Ref> head,
                         FindRef(view, record_.id, RefKind::kBranch, branch));
  if (!head) return NotFound("committing to " + what + ": there is none");
  if (door == Door::kPush) EMEND_RETURN_IF_ERROR(CheckUnprotected(view, record_, branch));
  EMEND_RETURN_IF_ERROR(CheckCompareAndSwap(what, head, expected));
  if (commit.parents.empty() || commit.parents.front() != expected) {
    return InvalidArgument("committing to " + what +
                           ": the commit's first parent is not the head " + expected.Hex());
  }
  const CommitId id = objects::IdOf(commit);
  EMEND_RETURN_IF_ERROR(CheckWhole(objects::ObjectStore(view, record_.id), id, commit));
  EMEND_FAILPOINT("history.advance");
  objects_.PutCommit(transaction.batch(), commit);
  const std::string reason =
      std::string(commit.kind == objects::CommitKind::kEdit ? "commit"
                                                            : CommitKindName(commit.kind)) +
      ": " + FirstLine(commit.message);
  EMEND_RETURN_IF_ERROR(PutMove(transaction, view, record_.id,
                                {RefKind::kBranch, std::string(branch), id}, expected, reason));
  transaction.Audit({"commit.create",
                     {{"repo", record_.name.value()},
                      {"branch", std::string(branch)},
                      {"from", expected.Hex()},
                      {"commit", id.Hex()},
                      {"state", commit.state.Hex()}}});
  return id;
}

Status Repository::MoveRef(records::Transaction& transaction, const Ref& to,
                           const CommitId& expected, std::string_view reason) const {
  EMEND_RETURN_IF_ERROR(CheckRefName(to.name));
  const std::string what = Describe(record_, to.kind, to.name);
  if (to.commit.IsZero() && expected.IsZero())
    return InvalidArgument("moving " + what +
                           ": neither where it is nor where it shall go was given");
  if (to.commit.IsZero() && to.kind == RefKind::kBranch && to.name == kDefaultBranch) {
    return {StatusCode::kFailedPrecondition, "default_branch",
            "deleting " + what +
                ": it is what every command means that names no branch; reset it to another commit "
                "instead"};
  }
  BatchView view(transaction.store(), transaction.batch());
  EMEND_RETURN_IF_ERROR(CheckMayMove(*this, view, to, expected.IsZero()));
  if (expected.IsZero()) EMEND_RETURN_IF_ERROR(CheckNameIsFree(view, record_, to));
  EMEND_ASSIGN_OR_RETURN(const std::optional<Ref> found,
                         FindRef(view, record_.id, to.kind, to.name));
  if (found && expected.IsZero()) return AlreadyThere(record_, to, found->commit);
  EMEND_RETURN_IF_ERROR(CheckCompareAndSwap(what, found, expected));
  if (!to.commit.IsZero()) {
    const auto commit = objects::ObjectStore(view, record_.id).ReadCommit(to.commit);
    if (!commit.ok()) return commit.status().WithContext("moving " + what);
  }
  EMEND_RETURN_IF_ERROR(PutMove(transaction, view, record_.id, to, expected, FirstLine(reason)));
  const char* act = expected.IsZero()    ? "ref.create"
                    : to.commit.IsZero() ? "ref.delete"
                                         : "ref.move";
  transaction.Audit({act,
                     {{"repo", record_.name.value()},
                      {std::string(RefKindName(to.kind)), to.name},
                      {"from", expected.IsZero() ? "" : expected.Hex()},
                      {"to", to.commit.IsZero() ? "" : to.commit.Hex()}}});
  return OkStatus();
}

}  // namespace emend::storage::history
