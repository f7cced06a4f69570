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
  void Add(std::string where, std::string what);
  // A failure of whatever kind is a problem of what was being checked.
  void Take(const std::string& where, const Status& status) {
    if (!status.ok()) Add(where, status.message());
  }
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
  void CheckFrom(const CommitId& id, const std::string& from);
  // The active edits that no commit met so far says it added. Call once, at the end.
  void CheckOtherEdits();

 private:
  struct StateFacts {
    ObjectId root;
    bool is_whole = false;  // its trie can be read to the end
  };
  // ids in and below a node; empty if something there is wrong
  using NodeCount = std::optional<std::uint64_t>;

  void CheckCommit(const CommitId& id, const std::string& from,
                   std::vector<std::pair<CommitId, std::string>>& todo);
  void CheckSets(const std::string& where, const objects::Commit& commit);
  void CheckState(const std::string& where, const StateId& id, const BaseId& base);
  void CheckManifest(const std::string& where, const StateId& id);
  void CheckTrie(const std::string& where, const ObjectId& id, const std::string& prefix,
                 NodeCount& count);
  void CheckNode(const std::string& where, const ObjectId& id, const objects::TrieNode& node,
                 const std::string& prefix, NodeCount& count);
  void CheckEdit(const std::string& where, const EditId& id);
  void CheckPayloads(const std::string& where, const objects::Edit& edit);

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
