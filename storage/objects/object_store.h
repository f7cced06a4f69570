// Where a repo's immutable records lie. Every key begins with the repo's id: nothing crosses repos
// by hash.
//
// Puts go into a batch, which the caller writes: payloads in earlier unsynced batches, the rest in
// the commit's synced one. Reads check that the bytes hash to the id they were asked for: a
// mismatch is kDataLoss, never a wrong record. Thread-safe; blocks on the disk.
#pragma once

#include <string>
#include <vector>

#include "storage/kv/kv_store.h"
#include "storage/objects/edit.h"

namespace emend::storage::objects {

inline constexpr std::size_t kRepoIdBytes = 16;
using RepoId = Named<std::string, struct RepoIdTag>;
constexpr std::size_t RawBytesOf(const RepoId&) { return kRepoIdBytes; }

class ObjectStore {
 public:
  ObjectStore(kv::KvStore& store, RepoId repo) : store_(&store), repo_(std::move(repo)) {}

  const RepoId& repo() const { return repo_; }
  kv::KvStore& store() const { return *store_; }

  // Payload bytes (column family payload), addressed by H(stored bytes). kResourceExhausted beyond
  // 64 MiB.
  Result<ObjectId> PutPayload(kv::WriteBatch& batch, std::string_view stored) const;
  Result<std::string> ReadPayload(const ObjectId& id) const;

  EditId PutEdit(kv::WriteBatch& batch, const Edit& edit) const;
  StateId PutState(kv::WriteBatch& batch, const State& state) const;
  void PutManifest(kv::WriteBatch& batch, const Manifest& manifest) const;  // by its state
  CommitId PutCommit(kv::WriteBatch& batch, const Commit& commit) const;    // column family commits
  ObjectId PutObject(kv::WriteBatch& batch, std::string_view bytes) const;  // trie nodes

  // kNotFound names the kind and the id.
  Result<Edit> ReadEdit(const EditId& id) const;
  Result<State> ReadState(const StateId& id) const;
  Result<Manifest> ReadManifest(const StateId& id) const;
  Result<Commit> ReadCommit(const CommitId& id) const;
  Result<std::string> ReadObject(const ObjectId& id) const;
  // Ids of commits whose hex form begins with the prefix (either case), sorted, at most
  // `count_max`. kInvalidArgument unless it is hex.
  Result<std::vector<CommitId>> FindCommits(std::string_view hex_prefix,
                                            std::size_t count_max) const;

 private:
  kv::KvStore* store_;
  RepoId repo_;
};

}  // namespace emend::storage::objects
