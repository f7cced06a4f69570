#include "coordinator/operations/statistics_table.h"

#include <algorithm>

#include "storage/base/encoding.h"

namespace emend::coordinator::operations {
namespace {

using storage::kv::ColumnFamily;

std::string Prefix(const storage::objects::RepoId& repo) { return repo.value() + "statistics/"; }

std::string Encode(const StatisticsRecord& record) {
  Encoder out(RecordType::kStatistics, 1);
  out.Text(record.id);
  out.Id(record.base);
  out.Count(record.layers.size());
  for (const std::int32_t layer : record.layers) out.I64(layer);
  out.U64(record.tokens);
  out.U64(record.lines);
  out.Bool(record.sampled_by.has_value());
  if (record.sampled_by) out.U64(*record.sampled_by);
  out.F64(record.seconds);
  out.I64(record.created_ms);
  return std::move(out).bytes();
}

Result<StatisticsRecord> Decode(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kStatistics, 1);
  StatisticsRecord record;
  record.id = in.Text();
  record.base = in.ReadId<BaseId>();
  const std::size_t layers = in.Count(sizeof(std::int64_t));
  for (std::size_t i = 0; i < layers; ++i)
    record.layers.push_back(static_cast<std::int32_t>(in.I64()));
  record.tokens = in.U64();
  record.lines = in.U64();
  if (in.Bool()) record.sampled_by = in.U64();
  record.seconds = in.F64();
  record.created_ms = in.I64();
  EMEND_RETURN_IF_ERROR(in.Finish());
  return record;
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
  transaction.batch().Put(ColumnFamily::kMeta, Prefix(repo) + record.id, Encode(record));
  transaction.Audit({"statistics.put", {{"statistics", record.id}, {"base", record.base.Hex()}}});
}

Result<std::vector<StatisticsRecord>> ListStatistics(storage::kv::KvStore& store,
                                                     const storage::objects::RepoId& repo) {
  std::vector<StatisticsRecord> records;
  Status decoded;
  EMEND_RETURN_IF_ERROR(store.Scan(ColumnFamily::kMeta, Prefix(repo), "",
                                   [&](std::string_view, std::string_view value) {
                                     Result<StatisticsRecord> record = Decode(value);
                                     decoded = record.status();
                                     if (record.ok()) records.push_back(std::move(record).value());
                                     return decoded.ok();
                                   }));
  EMEND_RETURN_IF_ERROR(decoded);
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

}  // namespace emend::coordinator::operations
