#include "storage/objects/trie_node.h"

#include <algorithm>
#include <functional>

#include "storage/base/encoding.h"
#include "storage/objects/canonical.h"
#include "storage/objects/edit_set.h"

namespace emend::storage::objects {
namespace {

constexpr std::uint16_t kNodeVersion = 1;
constexpr std::uint8_t kLeafShape = 1;
constexpr std::uint8_t kBranchShape = 2;
constexpr std::uint8_t kChildrenMax = 16;

void DecodeLeaf(Decoder& in, TrieNode& node) {
  const std::size_t count = in.Count(Digest::kSize);
  if (count > kLeafMax)
    return in.Fail("found a leaf of " + std::to_string(count) + " edits, expected at most " +
                   std::to_string(kLeafMax));
  for (std::size_t i = 0; i < count; ++i) node.ids.push_back(in.ReadId<EditId>());
  node.count = count;
  if (std::adjacent_find(node.ids.begin(), node.ids.end(), std::greater_equal<>()) !=
      node.ids.end())
    in.Fail("found a leaf that is not sorted");
}

void DecodeBranch(Decoder& in, TrieNode& node) {
  node.count = in.U64();
  const std::uint16_t mask = in.U16();
  for (std::uint8_t nibble = 0; nibble < kChildrenMax; ++nibble) {
    if ((mask >> nibble) & 1) node.children[nibble] = in.ReadId<ObjectId>();
  }
  if (in.ok() && (mask == 0 || node.count <= kLeafMax))
    in.Fail("found a branch over " + std::to_string(node.count) + " edits, expected a leaf");
}

}  // namespace

TrieNode Leaf(std::vector<EditId> sorted_ids) {
  TrieNode node;
  node.count = sorted_ids.size();
  node.ids = std::move(sorted_ids);
  return node;
}

std::string EncodeNode(const TrieNode& node) {
  Encoder out(RecordType::kTrieNode, kNodeVersion);
  if (!node.is_branch()) {
    out.U8(kLeafShape);
    out.Count(node.ids.size());
    for (const EditId& id : node.ids) out.Id(id);
    return std::move(out).bytes();
  }
  std::uint16_t mask = 0;
  for (const auto& [nibble, child] : node.children)
    mask = static_cast<std::uint16_t>(mask | (1U << nibble));
  out.U8(kBranchShape);
  out.U64(node.count);
  out.U16(mask);
  for (const auto& [nibble, child] : node.children) out.Id(child);
  return std::move(out).bytes();
}

Result<TrieNode> DecodeNode(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kTrieNode, kNodeVersion);
  TrieNode node;
  const std::uint8_t shape = in.U8();
  if (shape == kLeafShape) {
    DecodeLeaf(in, node);
  } else if (shape == kBranchShape) {
    DecodeBranch(in, node);
  } else {
    in.Fail("found " + std::to_string(shape) + " for a trie node's shape, expected 1 or 2");
  }
  return FinishCanonical(in, std::move(node), stored, "trie node", EncodeNode);
}

std::uint8_t NibbleAt(const EditId& id, std::size_t depth) {
  const std::uint8_t byte = id.digest().bytes[depth / 2];
  return depth % 2 == 0 ? byte >> 4 : byte & 15;
}

}  // namespace emend::storage::objects
