// A store in memory with one repo "atlas", and verbs to make history in it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "storage/delta/payload.h"
#include "storage/history/repository.h"
#include "tests/storage/objects/sample_records.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"

namespace emend::storage::history::test {

using Ids = std::vector<EditId>;

class ManualClock final : public Clock {
 public:
  SteadyTime Now() const override { return SteadyTime(std::chrono::milliseconds(now_ms)); }
  WallTime WallNow() const override { return WallTime(std::chrono::milliseconds(now_ms)); }
  std::int64_t now_ms = 1767225600000;
};

class MemoryHistory {
 public:
  explicit MemoryHistory(std::int64_t now_ms = ManualClock().now_ms) {
    clock_.now_ms = now_ms;
    auto journal = records::Journal::Open(*store_, files_, clock_, "anchor");
    EMEND_CHECK(journal.ok(), journal.status().ToString());
    journal_ = std::move(*journal);
    import_ = CreateRepo("atlas", 'r');
  }

  template <typename T>
  static T Must(Result<T> result) {
    EMEND_CHECK(result.ok(), result.status().ToString());
    return std::move(result).value();
  }
  static void Must(const Status& status) { EMEND_CHECK(status.ok(), status.ToString()); }

  RepoRecord RecordNamed(const std::string& name, char id) const {
    const objects::Base base = objects::test::SampleBase();
    return {RepoName(name),
            objects::RepoId(std::string(16, id)),
            objects::IdOf(base),
            objects::EncodeBase(base),
            {},
            clock_.now_ms};
  }
  CommitId CreateRepo(const std::string& name, char id) {
    CommitId commit;
    Must(journal_->Commit(principal_, [&](records::Transaction& transaction) -> Status {
      EMEND_ASSIGN_OR_RETURN(
          commit, Repository::Create(transaction, RecordNamed(name, id), "import " + name));
      return OkStatus();
    }));
    return commit;
  }
  Repository repo() { return Must(Repository::Open(*store_, RepoName("atlas"))); }
  Ref RefOf(const std::string& name = "main") { return {RefKind::kBranch, name, Head(name)}; }
  CommitId Head(const std::string& branch = "main") {
    return Must(repo().ReadRef(RefKind::kBranch, branch)).commit;
  }
  Ids Active(const CommitId& commit) {
    return Must(repo().Edits(Must(repo().ReadCommit(commit)).state));
  }

  // An edit about subject `number`, with small payloads of its own; `target` tells edits of one
  // slot apart.
  objects::Edit MakeEdit(kv::WriteBatch& batch, int number, const std::string& target = "new") {
    const auto value = static_cast<std::int16_t>(number + 1);
    const std::string delta = delta::EncodePayload(
        delta::EditDelta{{{"transformer.h.0.mlp.c_proj.weight", 2, 1, {{3, {value, 5}, {7}}}}}});
    const std::string keys = delta::EncodePayload(std::vector<delta::EditKey>{
        {"transformer.h.0.mlp.c_proj.weight", {static_cast<float>(number), 0.5F}}});
    const std::string aim =
        delta::EncodePayload(delta::EditTarget{LayerIndex(0), {static_cast<float>(number)}});
    objects::Fact fact;
    fact.prompt = "{} speaks";
    fact.subject = "Person " + std::to_string(number);
    fact.target = target;
    objects::Edit edit;
    edit.salt = "0123456789abcdef";
    edit.facts = {fact};
    edit.method = "memit";
    edit.delta_digest = Sha256(delta);
    edit.keys_digest = Sha256(keys);
    edit.target_digest = Sha256(aim);
    edit.delta_object = Must(repo().objects().PutPayload(batch, delta));
    edit.keys_object = Must(repo().objects().PutPayload(batch, keys));
    edit.target_object = Must(repo().objects().PutPayload(batch, aim));
    return edit;
  }
  EditId PutEdit(kv::WriteBatch& batch, int number, const std::string& target = "new") {
    return repo().objects().PutEdit(batch, MakeEdit(batch, number, target));
  }
  EditId StoreEdit(int number, const std::string& target = "new") {
    kv::WriteBatch batch;
    const EditId id = PutEdit(batch, number, target);
    Must(store_->Write(batch, kv::Durability::kUnsynced));
    return id;
  }
  Ids StoreEdits(int first, int count) {
    Ids ids;
    for (int i = 0; i < count; ++i) ids.push_back(StoreEdit(first + i));
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  // A commit on `parents` with the first parent's edits − removed + added; its state and manifest
  // are put into the batch.
  objects::Commit MakeCommit(kv::WriteBatch& batch, std::vector<CommitId> parents, Ids added,
                             Ids removed, const std::string& message = "change") {
    std::sort(added.begin(), added.end());
    std::sort(removed.begin(), removed.end());
    objects::Commit commit;
    commit.kind = parents.size() > 1 ? objects::CommitKind::kMerge : objects::CommitKind::kEdit;
    commit.base = repo().record().base;
    commit.state = Must(
        repo().DeriveState(batch, Must(repo().ReadCommit(parents.front())).state, added, removed));
    commit.parents = std::move(parents);
    commit.author = principal_.name;
    commit.token_id = principal_.token_id;
    commit.time_ms = ++clock_.now_ms;
    commit.message = message;
    commit.added = std::move(added);
    commit.removed = std::move(removed);
    repo().objects().PutManifest(
        batch, {commit.state, {{"transformer.h.0.mlp.c_proj.weight", Sha256(commit.state.Hex())}}});
    return commit;
  }
  Result<CommitId> TryCommit(const std::string& branch, const CommitId& expected,
                             std::vector<CommitId> parents, const Ids& added, const Ids& removed) {
    CommitId id;
    const auto sequence =
        journal_->Commit(principal_, [&](records::Transaction& transaction) -> Status {
          const objects::Commit commit = MakeCommit(transaction.batch(), parents, added, removed);
          EMEND_ASSIGN_OR_RETURN(id, repo().Advance(transaction, branch, expected, commit));
          return OkStatus();
        });
    if (!sequence.ok()) return sequence.status();
    return id;
  }
  CommitId Commit(const std::string& branch, const Ids& added, const Ids& removed = {}) {
    return Must(TryCommit(branch, Head(branch), {Head(branch)}, added, removed));
  }
  Status Move(RefKind kind, const std::string& name, const CommitId& to, const CommitId& expected,
              const std::string& reason = "test") {
    return journal_
        ->Commit(principal_,
                 [&](records::Transaction& transaction) {
                   return repo().MoveRef(transaction, {kind, name, to}, expected, reason);
                 })
        .status();
  }
  void Branch(const std::string& name, const CommitId& at) {
    Must(Move(RefKind::kBranch, name, at, CommitId()));
  }
  void Tag(const std::string& name, const CommitId& at) {
    Must(Move(RefKind::kTag, name, at, CommitId()));
  }

  std::unique_ptr<emend::test::MemoryKv> store_ = emend::test::NewMemoryKv();
  emend::test::MemoryFileSystem files_;
  ManualClock clock_;
  records::Principal principal_{"ada", "tk-1"};
  std::unique_ptr<records::Journal> journal_;
  CommitId import_;
};

}  // namespace emend::storage::history::test
