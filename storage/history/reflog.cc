#include "storage/history/reflog.h"

#include "storage/history/ref_records.h"

namespace emend::storage::history {

Result<std::vector<ReflogEntry>> ReadReflog(const Repository& repository, std::string_view branch,
                                            std::size_t count_max,
                                            std::optional<std::uint64_t> before) {
  const RepoRecord& record = repository.record();
  const std::string what =
      "reading the reflog of branch " + std::string(branch) + " of repo " + record.name.value();
  std::vector<ReflogEntry> entries;
  if (before == 0) return entries;  // there is none before the first
  Status inner;
  const auto visit = [&](std::string_view, std::string_view value) {
    if (entries.size() == count_max) return false;
    Result<ReflogEntry> entry = DecodeReflogEntry(branch, value);
    inner = entry.status().WithContext(what);
    if (entry.ok()) entries.push_back(std::move(*entry));
    return inner.ok();
  };
  const std::string prefix = ReflogPrefix(record.id, branch);
  const std::string start =
      before ? ReflogKey(record.id, branch, *before - 1).substr(prefix.size()) : std::string();
  EMEND_RETURN_IF_ERROR(
      repository.objects().store().Scan(kv::ColumnFamily::kReflog, prefix, start, visit));
  EMEND_RETURN_IF_ERROR(inner);
  // A branch that ever was has moved at least once; one that was deleted keeps its reflog.
  if (entries.empty() && count_max > 0) return NotFound(what + ": there is none");
  return entries;
}

}  // namespace emend::storage::history
