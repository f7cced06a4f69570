#include "worker/tokenizer/charsmap.h"

#include <algorithm>

#include "storage/base/utf8.h"
#include "worker/tokenizer/json_node.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kUnitBytes = 4;

std::uint32_t UnitAt(std::string_view bytes, std::size_t at) {
  std::uint32_t unit = 0;
  for (std::size_t i = kUnitBytes; i > 0; --i)
    unit = unit << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return unit;
}

// The fields of a unit, as Darts packs them.
bool HasLeaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t ValueOf(std::uint32_t unit) { return unit & 0x7fffffff; }
std::uint32_t LabelOf(std::uint32_t unit) { return unit & 0x800000ff; }
std::size_t OffsetOf(std::uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

bool IsInsideCharacter(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

}  // namespace

Result<Charsmap> Charsmap::FromBytes(std::string_view bytes) {
  const std::size_t trie_bytes = bytes.size() < kUnitBytes ? 0 : UnitAt(bytes, 0);
  if (trie_bytes == 0 || trie_bytes % kUnitBytes != 0 || trie_bytes > bytes.size() - kUnitBytes) {
    return BadTokenizer("the charsmap of " + std::to_string(bytes.size()) +
                        " bytes says that its trie has " + std::to_string(trie_bytes));
  }
  Charsmap charsmap;
  for (std::size_t at = kUnitBytes; at < kUnitBytes + trie_bytes; at += kUnitBytes)
    charsmap.units_.push_back(UnitAt(bytes, at));
  charsmap.texts_ = bytes.substr(kUnitBytes + trie_bytes);
  if (const auto offset = FirstInvalidUtf8(charsmap.texts_)) {
    return BadTokenizer("the charsmap's texts are not UTF-8 at byte " + std::to_string(*offset));
  }
  return charsmap;
}

Result<Charsmap> Charsmap::FromBase64(std::string_view base64) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (base64.ends_with('=')) base64.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : base64) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return BadTokenizer("the charsmap is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes.push_back(static_cast<char>(bits >> bit_count & 0xff));
  }
  return FromBytes(bytes);
}

std::optional<Charsmap::Rule> Charsmap::RuleFor(std::string_view text, Choice choice) const {
  std::size_t bytes = 0;
  std::size_t begin = 0;  // in texts_
  std::size_t place = OffsetOf(units_.front());
  for (std::size_t at = 0; at < std::min(text.size(), kRuleBytesMax); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    place ^= byte;
    if (byte == 0 || place >= units_.size() || LabelOf(units_[place]) != byte) break;
    const bool leaf = HasLeaf(units_[place]);
    place ^= OffsetOf(units_[place]);
    if (!leaf || place >= units_.size() || IsInsideCharacter(text, at + 1)) continue;
    const std::size_t written = ValueOf(units_[place]);
    if (written >= texts_.size() || IsInsideCharacter(texts_, written)) continue;
    bytes = at + 1;
    begin = written;
    if (choice == Choice::kShortest) break;
  }
  if (bytes == 0) return std::nullopt;
  const std::size_t end = std::min(texts_.find('\0', begin), texts_.size());
  return Rule{bytes, std::string_view(texts_).substr(begin, end - begin)};
}

}  // namespace emend::worker::tokenizer
