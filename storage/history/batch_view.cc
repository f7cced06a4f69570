#include "storage/history/batch_view.h"

#include <algorithm>

namespace emend::storage::history {

BatchView::BatchView(kv::KvStore& store, const kv::WriteBatch& batch)
    : store_(store), batch_(batch) {
  const auto& changes = batch.changes();
  for (std::size_t i = 0; i < changes.size(); ++i) newest_[changes[i].family][changes[i].key] = i;
}

bool BatchView::IsCleared(kv::ColumnFamily family, std::string_view key) const {
  return std::ranges::any_of(batch_.cleared(), [&](const kv::WriteBatch::Prefix& cleared) {
    return cleared.family == family && key.starts_with(cleared.prefix);
  });
}

Result<std::optional<std::string>> BatchView::Get(kv::ColumnFamily family, std::string_view key) {
  const auto& newest = newest_[family];
  if (const auto found = newest.find(key); found != newest.end())
    return batch_.changes()[found->second].value;
  if (IsCleared(family, key)) return std::optional<std::string>();
  return store_.Get(family, key);
}

Status BatchView::Scan(kv::ColumnFamily family, std::string_view prefix, std::string_view start,
                       const kv::ScanVisitor& visit) {
  const auto& newest = newest_[family];
  auto next = newest.lower_bound(std::string(prefix).append(start));
  bool stopped = false;
  // Visits the batch's entries before `end` (all, without one).
  const auto visit_batch_until = [&](const std::string_view* end) {
    for (; !stopped && next != newest.end() && std::string_view(next->first).starts_with(prefix) &&
           (!end || next->first < *end);
         ++next) {
      const auto& value = batch_.changes()[next->second].value;
      if (value && !visit(next->first, *value)) stopped = true;
    }
  };
  const auto visit_stored = [&](std::string_view key, std::string_view value) {
    visit_batch_until(&key);
    const bool is_changed = newest.find(key) != newest.end() || IsCleared(family, key);
    if (!stopped && !is_changed && !visit(key, value)) stopped = true;
    return !stopped;
  };
  EMEND_RETURN_IF_ERROR(store_.Scan(family, prefix, start, visit_stored));
  visit_batch_until(nullptr);
  return OkStatus();
}

Status BatchView::Write(const kv::WriteBatch&, kv::Durability) {
  return Internal("a view of a batch was written to: put into the batch instead");
}

Status BatchView::VerifyChecksums() { return store_.VerifyChecksums(); }

}  // namespace emend::storage::history
