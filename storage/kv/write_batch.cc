#include <array>

#include "storage/base/check.h"
#include "storage/kv/kv_store.h"

namespace emend::storage::kv {

std::string_view ColumnFamilyName(ColumnFamily family) {
  static constexpr std::array<std::string_view, kColumnFamilyCount> kNames = {
      "meta",    "objects",    "payload",  "refs",  "reflog", "commits",    "proposals",
      "reviews", "operations", "releases", "nodes", "audit",  "idempotency"};
  return kNames[static_cast<std::size_t>(family)];
}

void WriteBatch::Put(ColumnFamily family, std::string_view key, std::string_view value) {
  changes_.push_back({family, std::string(key), std::string(value)});
  bytes_ += key.size() + value.size();
}

void WriteBatch::Delete(ColumnFamily family, std::string_view key) {
  changes_.push_back({family, std::string(key), std::nullopt});
  bytes_ += key.size();
}

std::string WriteBatch::Prefix::End() const {
  const std::size_t last = prefix.find_last_not_of('\xff');
  EMEND_CHECK(last != std::string::npos, "a prefix that no key comes after is cleared");
  std::string end = prefix.substr(0, last + 1);
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

void WriteBatch::Clear(ColumnFamily family, std::string_view prefix) {
  cleared_.push_back({family, std::string(prefix)});
  bytes_ += prefix.size();
}

}  // namespace emend::storage::kv
