#include <array>

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

void WriteBatch::Append(const WriteBatch& other) {
  changes_.insert(changes_.end(), other.changes_.begin(), other.changes_.end());
  bytes_ += other.bytes_;
}

}  // namespace emend::storage::kv
