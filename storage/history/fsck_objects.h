// The part of fsck that follows one repo's commits down to the payloads. Inside storage/history
// only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/history/fsck.h"
#include "storage/objects/trie_node.h"

namespace emend::storage::history {

// Collects what is wrong; shared by the parts of fsck.
class FsckNotes {
 public:
  FsckNotes(FsckReport& report, const FsckProgress& progress)
      : report_(report), progress_(progress) {}

  FsckReport& report() { return report_; }
  void Add(std::string where, std::string what) {
    report_.problems.push_back({std::move(where), std::move(what)});
  }
  // Ok if `status` is, or tells of missing or changed data, which becomes a problem; other failures
  // (a disk that does not answer) come back and end the check.
  Status Take(const std::string& where, const Status& status);
  void Progress() const {
    if (progress_) progress_(report_);
  }

 private:
  FsckReport& report_;
  const FsckProgress& progress_;
};

// Everything is read once, however many commits share it. One use; not thread-safe.
class ObjectsCheck {
 public:
  ObjectsCheck(const objects::ObjectStore& objects, const RepoRecord& record, FsckNotes& notes);

  // The commit, unless it was checked before, and all that it reaches. `from` says what points to
  // it, for the report.
  Status CheckFrom(const CommitId& id, const std::string& from);
  // The active edits that no commit met so far says it added. Call once, at the end.
  Status CheckOtherEdits();

 private:
  struct StateFacts {
    ObjectId root;
    bool is_whole = false;  // its trie can be read to the end
  };
  // ids in and below a node; empty if something there is wrong
  using NodeCount = std::optional<std::uint64_t>;

  Status CheckCommit(const CommitId& id, const std::string& from,
                     std::vector<std::pair<CommitId, std::string>>& todo);
  Status CheckSets(const std::string& where, const objects::Commit& commit);
  Status CheckState(const std::string& where, const StateId& id, const BaseId& base);
  Status CheckManifest(const std::string& where, const StateId& id);
  Status CheckTrie(const std::string& where, const ObjectId& id, const std::string& prefix,
                   NodeCount& count);
  Status CheckNode(const std::string& where, const ObjectId& id, const objects::TrieNode& node,
                   const std::string& prefix, NodeCount& count);
  Status CheckEdit(const std::string& where, const EditId& id);
  Status CheckPayloads(const std::string& where, const objects::Edit& edit);

  const objects::ObjectStore& objects_;
  const RepoRecord& record_;
  FsckNotes& notes_;
  std::set<std::string> tensors_;  // of the base
  std::set<CommitId> commits_;
  std::set<EditId> edits_;
  // edits in tries, and where; most are checked, and named, with the commit that added them
  std::map<EditId, std::string> active_;
  std::set<ObjectId> payloads_;
  std::map<StateId, StateFacts> states_;
  std::map<std::pair<ObjectId, std::string>, NodeCount> nodes_;  // by node and the nibbles above it
};

}  // namespace emend::storage::history
