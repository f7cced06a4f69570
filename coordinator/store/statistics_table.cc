#include "coordinator/store/statistics_table.h"

#include <algorithm>

#include "storage/records/record_table.h"

namespace emend::coordinator::store {
namespace {

storage::records::RecordTable<StatisticsRecord> TableOf(const storage::objects::RepoId& repo) {
  return {storage::kv::ColumnFamily::kMeta, repo.value() + "statistics/",
          "the record of covariances"};
}

bool Covers(const StatisticsRecord& record, std::span<const std::int32_t> layers) {
  return std::all_of(layers.begin(), layers.end(), [&](std::int32_t layer) {
    return std::ranges::find(record.layers, layer) != record.layers.end();
  });
}

std::string LayerList(std::span<const std::int32_t> layers) {
  std::string text;
  for (const std::int32_t layer : layers) text += (text.empty() ? "" : ",") + std::to_string(layer);
  return text;
}

}  // namespace

void PutStatistics(storage::records::Transaction& transaction, const storage::objects::RepoId& repo,
                   const StatisticsRecord& record) {
  TableOf(repo).Put(transaction.batch(), record.id, record);
  transaction.Audit({"statistics.put", {{"statistics", record.id}, {"base", record.base.Hex()}}});
}

Result<std::vector<StatisticsRecord>> ListStatistics(storage::kv::KvStore& store,
                                                     const storage::objects::RepoId& repo) {
  EMEND_ASSIGN_OR_RETURN(std::vector<StatisticsRecord> records, TableOf(repo).List(store));
  std::ranges::sort(records,
                    [](const auto& a, const auto& b) { return a.created_ms > b.created_ms; });
  return records;
}

Result<StatisticsRecord> FindStatistics(storage::kv::KvStore& store,
                                        const storage::objects::RepoId& repo,
                                        std::span<const std::int32_t> layers) {
  EMEND_ASSIGN_OR_RETURN(std::vector<StatisticsRecord> records, ListStatistics(store, repo));
  for (StatisticsRecord& record : records) {
    if (Covers(record, layers)) return std::move(record);
  }
  return Status(StatusCode::kFailedPrecondition, "no_statistics",
                "the covariances of layers " + LayerList(layers) +
                    " are needed to solve: this repo has none; run `emend stats REPO` first, best "
                    "with a --corpus FILE of texts as the model meets them");
}

}  // namespace emend::coordinator::store
