#include "tests/support/memory_kv.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>

namespace emend::test {
namespace {

using namespace storage::kv;  // NOLINT(google-build-using-namespace): it is one of these stores

using Table = std::map<std::string, std::string, std::less<>>;

// Invariant: applying undo_ from its end to its beginning gives back the tables as the last synced
// write left them.
class MemoryKvImpl final : public MemoryKv {
 public:
  Result<std::optional<std::string>> Get(ColumnFamily family, std::string_view key) override;
  Status Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
              const ScanVisitor& visit) override;
  Status Write(const WriteBatch& batch, Durability durability) override;
  Status VerifyChecksums() override { return OkStatus(); }
  void LoseUnsynced() override;
  void FailNextWrites(int count, Status status) override;

 private:
  Table& At(ColumnFamily family) { return tables_[static_cast<std::size_t>(family)]; }
  // Makes the change and returns the one that takes it back.
  WriteBatch::Change Apply(const WriteBatch::Change& change);

  std::mutex mutex_;
  std::array<Table, kColumnFamilyCount> tables_;  // guarded by mutex_
  std::vector<WriteBatch::Change> undo_;          // guarded by mutex_
  int failures_left_ = 0;                         // guarded by mutex_
  Status failure_;                                // guarded by mutex_
};

Result<std::optional<std::string>> MemoryKvImpl::Get(ColumnFamily family, std::string_view key) {
  const std::lock_guard lock(mutex_);
  const Table& table = At(family);
  const auto found = table.find(key);
  if (found == table.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Status MemoryKvImpl::Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
                          const ScanVisitor& visit) {
  // The visitor runs on a copy: it may call the store, and it must see one moment.
  std::vector<std::pair<std::string, std::string>> entries;
  {
    const std::lock_guard lock(mutex_);
    const Table& table = At(family);
    for (auto it = table.lower_bound(std::string(prefix).append(start));
         it != table.end() && it->first.starts_with(prefix); ++it)
      entries.push_back(*it);
  }
  for (const auto& [key, value] : entries) {
    if (!visit(key, value)) break;
  }
  return OkStatus();
}

WriteBatch::Change MemoryKvImpl::Apply(const WriteBatch::Change& change) {
  Table& table = At(change.family);
  WriteBatch::Change before{change.family, change.key, std::nullopt};
  const auto found = table.find(change.key);
  if (found != table.end()) before.value = std::move(found->second);
  if (change.value) {
    table[change.key] = *change.value;
  } else if (found != table.end()) {
    table.erase(found);
  }
  return before;
}

Status MemoryKvImpl::Write(const WriteBatch& batch, Durability durability) {
  const std::lock_guard lock(mutex_);
  if (failures_left_ > 0) {
    --failures_left_;
    return failure_;
  }
  for (const auto& cleared : batch.cleared()) {
    const Table& table = At(cleared.family);
    const auto end = table.lower_bound(cleared.End());
    for (auto at = table.lower_bound(cleared.prefix); at != end;)
      undo_.push_back(Apply({cleared.family, (at++)->first, std::nullopt}));
  }
  for (const WriteBatch::Change& change : batch.changes()) undo_.push_back(Apply(change));
  if (durability == Durability::kSynced) undo_.clear();
  return OkStatus();
}

void MemoryKvImpl::LoseUnsynced() {
  const std::lock_guard lock(mutex_);
  for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) Apply(*it);
  undo_.clear();
}

void MemoryKvImpl::FailNextWrites(int count, Status status) {
  EMEND_CHECK(count == 0 || !status.ok(), "writes were told to fail with an ok Status");
  const std::lock_guard lock(mutex_);
  failures_left_ = count;
  failure_ = std::move(status);
}

}  // namespace

std::unique_ptr<MemoryKv> NewMemoryKv() { return std::make_unique<MemoryKvImpl>(); }

}  // namespace emend::test
