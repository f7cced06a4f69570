// Which covariances a repo's base has: one record a computation, its matrices in a file beside the
// database.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/objects/object_store.h"
#include "storage/records/journal.h"

namespace emend::coordinator::store {

struct StatisticsRecord {
  std::string id;  // hex: H(base, layers, corpus, token bound)
  BaseId base;
  std::vector<std::int32_t> layers;  // ascending
  std::uint64_t tokens = 0;          // counted
  std::uint64_t lines = 0;
  // the seed with which the unedited model made up the lines; none: they came with the request
  std::optional<std::uint64_t> sampled_by = {};
  double seconds = 0;
  std::int64_t created_ms = 0;  // Unix epoch

  static constexpr RecordHead kHead = {RecordType::kStatistics, 2};
  static auto Fields(auto& m) {
    return std::tie(m.id, m.base, m.layers, m.tokens, m.lines, m.sampled_by, m.seconds,
                    m.created_ms);
  }
};

void PutStatistics(storage::records::Transaction& transaction, const storage::objects::RepoId& repo,
                   const StatisticsRecord& record);
// Newest first.
Result<std::vector<StatisticsRecord>> ListStatistics(storage::kv::KvStore& store,
                                                     const storage::objects::RepoId& repo);
// The newest that has all of `layers`. kFailedPrecondition ("no_statistics") says how to make them.
Result<StatisticsRecord> FindStatistics(storage::kv::KvStore& store,
                                        const storage::objects::RepoId& repo,
                                        std::span<const std::int32_t> layers);

}  // namespace emend::coordinator::store
