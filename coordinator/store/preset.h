// The preset of a repo: the settings that tuning found best for its model. A commit is solved by
// them wherever it sets nothing else. It lies under the repo's id, and goes with the repo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "storage/history/repository.h"

namespace emend::coordinator::store {

struct PresetRecord {
  std::string method;  // whose settings these are
  // as a request's "settings": {"layers", "9,10,11"}
  std::vector<std::pair<std::string, std::string>> settings;
  std::string measures;  // JSON: {"n", "default", "chosen"}, the tries as tuning reports them
  std::string principal;
  std::int64_t created_ms = 0;  // Unix epoch

  static constexpr RecordHead kHead = {RecordType::kPreset, 1};
  static auto Fields(auto& m) {
    return std::tie(m.method, m.settings, m.measures, m.principal, m.created_ms);
  }
};

// In place of the one before.
void PutPreset(storage::records::Transaction& transaction,
               const storage::history::Repository& repository, const PresetRecord& record);
Result<std::optional<PresetRecord>> FindPreset(const storage::history::Repository& repository);
// kNotFound.
Result<PresetRecord> ReadPreset(const storage::history::Repository& repository);
// Of scope merge: commits are solved by the defaults again. kNotFound.
Status RemovePreset(storage::records::Journal& journal, const answers::Caller& caller,
                    const RepoName& repo);

}  // namespace emend::coordinator::store
