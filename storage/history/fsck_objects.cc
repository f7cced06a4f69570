#include "storage/history/fsck_objects.h"

#include <algorithm>

#include "storage/delta/payload.h"
#include "storage/objects/edit_set.h"

namespace emend::storage::history {
namespace {

constexpr std::size_t kProblemsMax = 10'000;

// The digest of what a payload says, whatever form it is stored in.
template <typename Decoded>
Status CheckDigest(const Result<Decoded>& decoded, const Digest& expected) {
  EMEND_RETURN_IF_ERROR(decoded.status());
  const Digest found = Sha256(delta::EncodePayload(*decoded));
  if (found == expected) return OkStatus();
  return DataLoss("its plaintext hashes to " + found.Hex() + ", the edit says " + expected.Hex());
}

}  // namespace

void FsckNotes::Add(std::string where, std::string what) {
  std::vector<Problem>& problems = report_.problems;
  if (problems.size() > kProblemsMax) return;
  if (problems.size() < kProblemsMax) {
    problems.push_back({std::move(where), std::move(what)});
  } else {
    problems.push_back({"store", "there are more problems than the " +
                                     std::to_string(kProblemsMax) + " that are listed"});
  }
}

ObjectsCheck::ObjectsCheck(const objects::ObjectStore& objects, const RepoRecord& record,
                           FsckNotes& notes)
    : objects_(objects), record_(record), notes_(notes) {
  const Result<objects::Base> base = objects::DecodeBase(record.base_encoded);
  if (!base.ok()) return;  // told where the repo's record is checked
  for (const auto& [name, tensor] : base->tensors) tensors_.insert(name);
}

void ObjectsCheck::CheckFrom(const CommitId& id, const std::string& from) {
  std::vector<std::pair<CommitId, std::string>> todo = {{id, from}};
  while (!todo.empty()) {
    const auto [next, next_from] = todo.back();
    todo.pop_back();
    CheckCommit(next, next_from, todo);
  }
}

void ObjectsCheck::CheckOtherEdits() {
  for (const auto& [id, where] : active_) CheckEdit(where, id);
}

void ObjectsCheck::CheckCommit(const CommitId& id, const std::string& from,
                               std::vector<std::pair<CommitId, std::string>>& todo) {
  if (!commits_.insert(id).second) return;
  const std::string where = "repo " + record_.name.value() + ", commit " + id.Short();
  const Result<objects::Commit> commit = objects_.ReadCommit(id);
  if (!commit.ok()) return notes_.Take(where, commit.status().WithContext("reached from " + from));
  ++notes_.report().commits;
  if (commit->base != record_.base)
    notes_.Add(where, "found base " + commit->base.Hex() + ", the repo's is " + record_.base.Hex());
  CheckState(where, commit->state, commit->base);
  for (const EditId& edit : commit->added) CheckEdit(where, edit);
  CheckSets(where, *commit);
  for (const CommitId& parent : commit->parents) todo.emplace_back(parent, "commit " + id.Short());
  notes_.Progress();
}

void ObjectsCheck::CheckSets(const std::string& where, const objects::Commit& commit) {
  const StateFacts after = states_[commit.state];
  if (!after.is_whole) return;
  const objects::EditSets sets(objects_);
  objects::EditSetDiff diff;
  if (commit.parents.empty()) {
    Result<std::vector<EditId>> all = sets.List(after.root);
    if (!all.ok()) return notes_.Take(where, all.status());
    diff.added = std::move(all).value();
  } else {
    const Result<objects::Commit> parent = objects_.ReadCommit(commit.parents.front());
    if (!parent.ok()) return;  // told when the parent itself is checked
    CheckState("repo " + record_.name.value() + ", commit " + commit.parents.front().Short(),
               parent->state, parent->base);
    const StateFacts before = states_[parent->state];
    if (!before.is_whole) return;
    Result<objects::EditSetDiff> found = sets.Diff(before.root, after.root);
    if (!found.ok()) return notes_.Take(where, found.status());
    diff = std::move(found).value();
  }
  if (diff.added == commit.added && diff.removed == commit.removed) return;
  notes_.Add(where, "it says " + std::to_string(commit.added.size()) + " edits added and " +
                        std::to_string(commit.removed.size()) +
                        " removed, but against its first parent its state has " +
                        std::to_string(diff.added.size()) + " and " +
                        std::to_string(diff.removed.size()) + ", or other ones");
}

void ObjectsCheck::CheckState(const std::string& where, const StateId& id, const BaseId& base) {
  const auto [facts, is_new] = states_.try_emplace(id);
  if (!is_new) return;
  const std::string here = where + ", state " + id.Short();
  const Result<objects::State> state = objects_.ReadState(id);
  notes_.Take(here, state.status());
  CheckManifest(here, id);
  if (!state.ok()) return;
  if (state->base != base)
    notes_.Add(here, "found base " + state->base.Hex() + ", the commit's is " + base.Hex());
  NodeCount count;
  CheckTrie(here, state->trie_root, "", count);
  facts->second = {state->trie_root, count.has_value()};
}

void ObjectsCheck::CheckManifest(const std::string& where, const StateId& id) {
  const Result<objects::Manifest> manifest = objects_.ReadManifest(id);
  if (!manifest.ok()) return notes_.Take(where + ", manifest", manifest.status());
  for (const auto& [tensor, root] : manifest->roots) {
    if (!tensors_.contains(tensor))
      notes_.Add(where + ", manifest",
                 "it names tensor " + tensor + ", which the base does not have");
  }
}

void ObjectsCheck::CheckTrie(const std::string& where, const ObjectId& id,
                             const std::string& prefix, NodeCount& count) {
  const auto [known, is_new] = nodes_.try_emplace({id, prefix});
  if (is_new) {
    const Result<std::string> stored = objects_.ReadObject(id);
    const Result<objects::TrieNode> node =
        stored.ok() ? objects::DecodeNode(*stored) : Result<objects::TrieNode>(stored.status());
    notes_.Take(where + ", trie node " + id.Short(), node.status());
    if (node.ok()) CheckNode(where, id, *node, prefix, known->second);
  }
  count = known->second;
}

void ObjectsCheck::CheckNode(const std::string& where, const ObjectId& id,
                             const objects::TrieNode& node, const std::string& prefix,
                             NodeCount& count) {
  const std::string here = where + ", trie node " + id.Short();
  const bool is_misplaced = std::any_of(node.ids.begin(), node.ids.end(), [&](const EditId& edit) {
    return !edit.Hex().starts_with(prefix);
  });
  const bool is_hollow = node.count == 0 && !prefix.empty();
  const bool is_too_deep = node.is_branch() && prefix.size() >= objects::kNibbleCount;
  if (is_misplaced || is_hollow || is_too_deep) {
    notes_.Add(here, "it is not the node of a set of edits below the nibbles \"" + prefix + "\"");
  }
  for (const EditId& edit : node.ids) active_.emplace(edit, here);
  std::uint64_t sum = node.ids.size();
  bool is_whole = true;
  for (const auto& [nibble, child] : node.children) {
    NodeCount below;
    CheckTrie(where, child, prefix + "0123456789abcdef"[nibble], below);
    is_whole = is_whole && below.has_value();
    sum += below.value_or(0);
  }
  if (!is_whole) return;
  if (sum == node.count) {
    count = sum;
  } else {
    notes_.Add(here,
               "it counts " + std::to_string(node.count) + " edits, found " + std::to_string(sum));
  }
}

void ObjectsCheck::CheckEdit(const std::string& where, const EditId& id) {
  if (!edits_.insert(id).second) return;
  const std::string here = where + ", edit " + id.Short();
  const Result<objects::Edit> edit = objects_.ReadEdit(id);
  if (!edit.ok()) return notes_.Take(here, edit.status());
  ++notes_.report().edits;
  CheckPayloads(here, *edit);
  notes_.Progress();
}

void ObjectsCheck::CheckPayloads(const std::string& where, const objects::Edit& edit) {
  const auto check = [&](const std::string& here, const ObjectId& id, const auto& check_digest) {
    const Result<std::string> stored = objects_.ReadPayload(id);
    if (!stored.ok()) return notes_.Take(here, stored.status());
    if (payloads_.insert(id).second) notes_.report().payload_bytes += stored->size();
    return notes_.Take(here, check_digest(*stored).WithContext("payload " + id.Hex()));
  };
  check(where + ", payload", edit.delta_object, [&](const std::string& stored) {
    return CheckDigest(delta::DecodeEditDelta(stored), edit.delta_digest);
  });
  check(where + ", keys", edit.keys_object, [&](const std::string& stored) {
    return CheckDigest(delta::DecodeEditKeys(stored), edit.keys_digest);
  });
  check(where + ", target", edit.target_object, [&](const std::string& stored) {
    return CheckDigest(delta::DecodeEditTarget(stored), edit.target_digest);
  });
}

}  // namespace emend::storage::history
