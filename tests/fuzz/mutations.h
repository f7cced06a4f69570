// Seeded damage to files: of their bytes, and of the values inside a JSON document. The same seed
// does the same damage.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace emend::test {

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : engine_(seed) {}

  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }

  // One to four of: a byte changed, a slice removed, doubled or moved, a piece of JSON put in, the
  // end cut off.
  std::string Bytes(std::string bytes) {
    for (std::size_t rounds = 1 + Below(4); rounds > 0; --rounds) MutateBytes(&bytes);
    return bytes;
  }

  // One to three values somewhere in the tree replaced, removed or renamed.
  nlohmann::json Values(nlohmann::json document) {
    for (std::size_t rounds = 1 + Below(3); rounds > 0; --rounds) MutateValue(&document);
    return document;
  }

 private:
  static constexpr const char* kPieces[] = {"{",
                                            "}",
                                            "[",
                                            "]",
                                            "\"",
                                            ",",
                                            ":",
                                            "null",
                                            "-1",
                                            "1e999",
                                            "18446744073709551616",
                                            "\\u0000",
                                            "\\ud800",
                                            "\xff",
                                            "{}",
                                            "\"\":\"\"",
                                            "\n",
                                            "\r\n"};

  void MutateBytes(std::string* bytes) {
    const std::size_t at = Below(bytes->size() + 1);
    const std::size_t length = std::min(bytes->size() - at, Below(64));
    const std::string slice = bytes->substr(at, length);
    switch (Below(6)) {
      case 0:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>(Below(256));
        break;
      case 1: bytes->erase(at, length); break;
      case 2: bytes->insert(at, slice); break;
      case 3: bytes->erase(at, length).insert(Below(bytes->size() + 1), slice); break;
      case 4: bytes->insert(at, kPieces[Below(std::size(kPieces))]); break;
      default:
        if (Below(4) == 0) bytes->resize(at);
    }
  }

  nlohmann::json Value() {
    switch (Below(10)) {
      case 0: return nullptr;
      case 1: return true;
      case 2: return -1;
      case 3: return 1.5;
      case 4: return std::uint64_t{1} << 63;
      case 5: return "";
      case 6: return std::string(1 + Below(5000), 'a');
      case 7: return nlohmann::json::array({1, "a", nullptr});
      case 8: return nlohmann::json::object({{"type", "Sequence"}, {"a", 1}});
      default: return static_cast<int>(Below(300));
    }
  }

  // Walks down by chance, rarely far into the large lists.
  void MutateValue(nlohmann::json* node) {
    while (node->is_structured() && !node->empty() && Below(8) != 0) {
      auto child = node->begin();
      std::advance(child, static_cast<std::ptrdiff_t>(Below(node->size())));
      if (Below(10) == 0) {
        node->erase(child);
        return;
      }
      node = &*child;
    }
    *node = Value();
  }

  std::mt19937_64 engine_;
};

}  // namespace emend::test
