#include "coordinator/store/preset.h"

#include "coordinator/store/scope.h"
#include "storage/records/record_table.h"

namespace emend::coordinator::store {
namespace {

using storage::history::Repository;
using storage::records::Transaction;

constexpr std::string_view kPresetKey = "preset";

storage::records::RecordTable<PresetRecord> PresetOf(const Repository& repository) {
  return {storage::kv::ColumnFamily::kMeta, repository.record().id.value(), "the preset"};
}

}  // namespace

void PutPreset(Transaction& transaction, const Repository& repository, const PresetRecord& record) {
  PresetOf(repository).Put(transaction.batch(), kPresetKey, record);
  transaction.Audit({"preset.put", {{"repo", repository.record().name.value()}}});
}

Result<std::optional<PresetRecord>> FindPreset(const Repository& repository) {
  return PresetOf(repository).Find(repository.objects().store(), kPresetKey);
}

Result<PresetRecord> ReadPreset(const Repository& repository) {
  EMEND_ASSIGN_OR_RETURN(std::optional<PresetRecord> record, FindPreset(repository));
  if (!record)
    return NotFound("reading the preset of repo " + repository.record().name.value() +
                    ": there is none, commits are solved by the defaults; `emend tune` finds one");
  return *std::move(record);
}

Status RemovePreset(storage::records::Journal& journal, const answers::Caller& caller,
                    const RepoName& repo) {
  EMEND_RETURN_IF_ERROR(CheckScope(caller, "merge"));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_RETURN_IF_ERROR(ReadPreset(repository).status());
    PresetOf(repository).Remove(transaction.batch(), kPresetKey);
    transaction.Audit({"preset.remove", {{"repo", repo.value()}}});
    return OkStatus();
  };
  return journal.Commit(caller.principal, build).status();
}

}  // namespace emend::coordinator::store
