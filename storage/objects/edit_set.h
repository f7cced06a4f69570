// The set of active edits as a persistent hash trie: a new set shares every node that it does not
// change, and diff costs what differs.
//
// A node over the ids that share a prefix of nibbles is a leaf with those ids, sorted, when they
// are kLeafMax or fewer, else a branch with one child for each next nibble that occurs. The shape
// depends on the set alone, so equal sets have equal roots whatever the history. Not thread-safe:
// one thread's tool.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/objects/object_store.h"

namespace emend::storage::objects {

inline constexpr std::size_t kLeafMax = 16;

struct EditSetDiff {
  std::vector<EditId> added;    // in the second set only, sorted
  std::vector<EditId> removed;  // in the first set only, sorted
};

// Reads through `objects` (and through `pending` batches' nodes that are not written yet, by the
// returned root of earlier calls on the same EditSets).
class EditSets {
 public:
  explicit EditSets(const ObjectStore& objects) : objects_(&objects) {}

  // The root of the empty set; puts its node.
  ObjectId Empty(kv::WriteBatch& batch);
  // root − removed + added. kFailedPrecondition if an added id is in the set, or a removed one is
  // not; new nodes are put into the batch.
  Result<ObjectId> Change(kv::WriteBatch& batch, const ObjectId& root,
                          const std::vector<EditId>& added, const std::vector<EditId>& removed);
  Result<std::vector<EditId>> List(const ObjectId& root) const;  // sorted
  Result<EditSetDiff> Diff(const ObjectId& from, const ObjectId& to) const;

 private:
  const ObjectStore* objects_;
  std::map<ObjectId, std::string> pending_;  // nodes put by this object, perhaps not written yet
};

}  // namespace emend::storage::objects
