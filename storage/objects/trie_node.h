// A node of the persistent hash trie behind EditSets (edit_set.h): its encoding, and the rules that
// make its shape depend on the set alone. Inside storage only.
//
// A node at depth d holds ids that share their first d nibbles. Leaf: at most kLeafMax ids, sorted.
// Branch: more than kLeafMax ids, one child for each nibble at position d that occurs. Only the
// root of the empty set is a leaf without ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"

namespace emend::storage::objects {

inline constexpr std::size_t kNibbleCount = 64;  // of an id; also the greatest depth

struct TrieNode {
  std::vector<EditId> ids;                    // leaf
  std::map<std::uint8_t, ObjectId> children;  // branch, by the next nibble; empty in a leaf
  std::uint64_t count = 0;                    // ids in and below this node

  bool is_branch() const { return !children.empty(); }
};

TrieNode Leaf(std::vector<EditId> sorted_ids);
std::string EncodeNode(const TrieNode& node);
// kDataLoss for anything that no set of ids gives.
Result<TrieNode> DecodeNode(std::string_view stored);

// The nibble at position `depth`, the high one of a byte first. REQUIRES: depth < kNibbleCount.
std::uint8_t NibbleAt(const EditId& id, std::size_t depth);

}  // namespace emend::storage::objects
