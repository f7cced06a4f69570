#include "storage/objects/edit_set.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "storage/objects/trie_node.h"

namespace emend::storage::objects {
namespace {

using Ids = std::span<const EditId>;
using Pending = std::map<ObjectId, std::string>;

// Reads nodes: those put before and perhaps not written yet, then the stored ones.
class Reader {
 public:
  Reader(const ObjectStore& objects, const Pending& pending)
      : objects_(objects), pending_(pending) {}

  Result<TrieNode> Read(const ObjectId& id, std::size_t depth) const {
    const auto found = pending_.find(id);
    Result<std::string> stored =
        found == pending_.end() ? objects_.ReadObject(id) : Result<std::string>(found->second);
    if (!stored.ok()) return stored.status().WithContext("reading a node of an edit set");
    Result<TrieNode> node = DecodeNode(*stored);
    if (!node.ok())
      return node.status().WithContext("reading node " + id.Hex() + " of an edit set");
    if (depth >= kNibbleCount && node->is_branch())
      return DataLoss("reading node " + id.Hex() +
                      " of an edit set: found a branch below the last nibble");
    return node;
  }

  // In order, because children are visited by nibble.
  Status AppendAll(const ObjectId& id, std::size_t depth, std::vector<EditId>& out) const {
    EMEND_ASSIGN_OR_RETURN(const TrieNode node, Read(id, depth));
    out.insert(out.end(), node.ids.begin(), node.ids.end());
    for (const auto& [nibble, child] : node.children)
      EMEND_RETURN_IF_ERROR(AppendAll(child, depth + 1, out));
    return OkStatus();
  }

  // Appends what differs below two nodes at the same place. Equal ids are equal sets, so shared
  // parts are not read.
  Status AppendDiff(const ObjectId& from, const ObjectId& to, std::size_t depth,
                    EditSetDiff& out) const {
    if (from == to) return OkStatus();
    EMEND_ASSIGN_OR_RETURN(const TrieNode a, Read(from, depth));
    EMEND_ASSIGN_OR_RETURN(const TrieNode b, Read(to, depth));
    if (a.is_branch() && b.is_branch()) return AppendBranchDiff(a, b, depth, out);
    std::vector<EditId> a_ids;
    std::vector<EditId> b_ids;
    EMEND_RETURN_IF_ERROR(AppendAll(from, depth, a_ids));
    EMEND_RETURN_IF_ERROR(AppendAll(to, depth, b_ids));
    std::set_difference(b_ids.begin(), b_ids.end(), a_ids.begin(), a_ids.end(),
                        std::back_inserter(out.added));
    std::set_difference(a_ids.begin(), a_ids.end(), b_ids.begin(), b_ids.end(),
                        std::back_inserter(out.removed));
    return OkStatus();
  }

 private:
  Status AppendBranchDiff(const TrieNode& a, const TrieNode& b, std::size_t depth,
                          EditSetDiff& out) const {
    for (std::uint8_t nibble = 0; nibble < 16; ++nibble) {
      const auto in_a = a.children.find(nibble);
      const auto in_b = b.children.find(nibble);
      const bool a_has = in_a != a.children.end();
      const bool b_has = in_b != b.children.end();
      if (a_has && b_has)
        EMEND_RETURN_IF_ERROR(AppendDiff(in_a->second, in_b->second, depth + 1, out));
      if (a_has && !b_has) EMEND_RETURN_IF_ERROR(AppendAll(in_a->second, depth + 1, out.removed));
      if (!a_has && b_has) EMEND_RETURN_IF_ERROR(AppendAll(in_b->second, depth + 1, out.added));
    }
    return OkStatus();
  }

  const ObjectStore& objects_;
  const Pending& pending_;
};

// The part of sorted ids of one common prefix whose next nibble is `nibble`.
Ids WithNibble(Ids ids, std::size_t depth, std::uint8_t nibble) {
  const auto less = [depth](const EditId& id, std::uint8_t value) {
    return NibbleAt(id, depth) < value;
  };
  const auto first = std::lower_bound(ids.begin(), ids.end(), nibble, less);
  const auto last = std::lower_bound(first, ids.end(), static_cast<std::uint8_t>(nibble + 1), less);
  return {first, last};
}

// set − removed + added; all sorted.
Result<std::vector<EditId>> ChangeList(const std::vector<EditId>& set, Ids added, Ids removed) {
  for (const EditId& id : removed) {
    if (!std::binary_search(set.begin(), set.end(), id))
      return FailedPrecondition("removing edit " + id.Hex() + " from a set: it is not in the set");
  }
  for (const EditId& id : added) {
    if (std::binary_search(set.begin(), set.end(), id))
      return FailedPrecondition("adding edit " + id.Hex() + " to a set: it is in the set already");
  }
  std::vector<EditId> kept;
  std::set_difference(set.begin(), set.end(), removed.begin(), removed.end(),
                      std::back_inserter(kept));
  std::vector<EditId> changed;
  std::set_union(kept.begin(), kept.end(), added.begin(), added.end(), std::back_inserter(changed));
  return changed;
}

class Writer {
 public:
  Writer(const ObjectStore& objects, Pending& pending, kv::WriteBatch& batch)
      : objects_(objects), pending_(pending), batch_(batch), reader_(objects, pending) {}

  ObjectId Put(const TrieNode& node) {
    std::string bytes = EncodeNode(node);
    const ObjectId id = objects_.PutObject(batch_, bytes);
    pending_.emplace(id, std::move(bytes));
    return id;
  }

  ObjectId Build(Ids ids, std::size_t depth) {
    if (ids.size() <= kLeafMax) return Put(Leaf({ids.begin(), ids.end()}));
    TrieNode node;
    node.count = ids.size();
    for (std::uint8_t nibble = 0; nibble < 16; ++nibble) {
      const Ids below = WithNibble(ids, depth, nibble);
      if (!below.empty()) node.children[nibble] = Build(below, depth + 1);
    }
    return Put(node);
  }

  Result<ObjectId> Change(const ObjectId& root, std::size_t depth, Ids added, Ids removed) {
    if (added.empty() && removed.empty()) return root;
    EMEND_ASSIGN_OR_RETURN(TrieNode node, reader_.Read(root, depth));
    return ChangeNode(root, std::move(node), depth, added, removed);
  }

 private:
  // `node` is what `root` holds.
  Result<ObjectId> ChangeNode(const ObjectId& root, TrieNode node, std::size_t depth, Ids added,
                              Ids removed) {
    // What becomes a leaf is listed and built again, so that no node is put which the result does
    // not have.
    if (!node.is_branch() || node.count + added.size() <= kLeafMax + removed.size()) {
      std::vector<EditId> ids;
      EMEND_RETURN_IF_ERROR(reader_.AppendAll(root, depth, ids));
      EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> changed, ChangeList(ids, added, removed));
      return Build(changed, depth);
    }
    for (std::uint8_t nibble = 0; nibble < 16; ++nibble) {
      EMEND_RETURN_IF_ERROR(ChangeChild(node, nibble, depth, WithNibble(added, depth, nibble),
                                        WithNibble(removed, depth, nibble)));
    }
    node.count += added.size();
    node.count -= removed.size();
    return Put(node);
  }

  Status ChangeChild(TrieNode& node, std::uint8_t nibble, std::size_t depth, Ids added,
                     Ids removed) {
    if (added.empty() && removed.empty()) return OkStatus();
    const auto child = node.children.find(nibble);
    if (child == node.children.end()) {
      EMEND_RETURN_IF_ERROR(ChangeList({}, added, removed).status());
      node.children[nibble] = Build(added, depth + 1);
      return OkStatus();
    }
    EMEND_ASSIGN_OR_RETURN(TrieNode below, reader_.Read(child->second, depth + 1));
    // perhaps nothing is left: no node then, unless an id is wrong
    if (below.count + added.size() == removed.size()) {
      std::vector<EditId> ids;
      EMEND_RETURN_IF_ERROR(reader_.AppendAll(child->second, depth + 1, ids));
      EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> left, ChangeList(ids, added, removed));
      if (!left.empty())
        return DataLoss("changing an edit set: node " + child->second.Hex() +
                        " has more edits than it counts");
      node.children.erase(child);
      return OkStatus();
    }
    EMEND_ASSIGN_OR_RETURN(child->second,
                           ChangeNode(child->second, std::move(below), depth + 1, added, removed));
    return OkStatus();
  }

  const ObjectStore& objects_;
  Pending& pending_;
  kv::WriteBatch& batch_;
  Reader reader_;
};

Result<std::vector<EditId>> Sorted(std::vector<EditId> ids) {
  std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  if (twice != ids.end())
    return FailedPrecondition("changing an edit set: edit " + twice->Hex() + " is listed twice");
  return ids;
}

}  // namespace

ObjectId EditSets::Empty(kv::WriteBatch& batch) {
  return Writer(*objects_, pending_, batch).Put(Leaf({}));
}

Result<ObjectId> EditSets::Change(kv::WriteBatch& batch, const ObjectId& root,
                                  const std::vector<EditId>& added,
                                  const std::vector<EditId>& removed) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> more, Sorted(added));
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> less, Sorted(removed));
  return Writer(*objects_, pending_, batch).Change(root, 0, more, less);
}

Result<std::vector<EditId>> EditSets::List(const ObjectId& root) const {
  std::vector<EditId> ids;
  EMEND_RETURN_IF_ERROR(Reader(*objects_, pending_).AppendAll(root, 0, ids));
  return ids;
}

Result<EditSetDiff> EditSets::Diff(const ObjectId& from, const ObjectId& to) const {
  EditSetDiff diff;
  EMEND_RETURN_IF_ERROR(Reader(*objects_, pending_).AppendDiff(from, to, 0, diff));
  return diff;
}

}  // namespace emend::storage::objects
