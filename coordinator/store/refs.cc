#include "coordinator/store/refs.h"

#include "coordinator/store/scope.h"

namespace emend::coordinator::store {
namespace {

using storage::history::Ref;
using storage::history::Repository;

std::string CommitHex(const CommitId& id) { return id.IsZero() ? "(none)" : id.Hex(); }

}  // namespace

Result<Ref> MoveRef(storage::records::Journal& journal, const answers::Caller& caller,
                    const RefMove& move) {
  EMEND_RETURN_IF_ERROR(CheckScope(caller, "merge"));
  EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(journal.store(), move.repo));
  Ref to{move.kind, move.name, {}};
  if (!move.revision.empty()) {
    EMEND_ASSIGN_OR_RETURN(to.commit, repository.Resolve(move.revision));
  }
  if (!to.commit.IsZero() && to.commit == move.expected) {
    EMEND_ASSIGN_OR_RETURN(const Ref there, repository.ReadRef(move.kind, move.name));
    if (there.commit == to.commit) return to;
  }
  const std::string reason =
      move.reason.empty() ? "reset: " + CommitHex(move.expected) + " -> " + CommitHex(to.commit)
                          : move.reason;
  const auto build = [&](storage::records::Transaction& transaction) {
    return repository.MoveRef(transaction, to, move.expected, reason);
  };
  EMEND_RETURN_IF_ERROR(journal.Commit(caller.principal, build).status());
  return to;
}

Result<std::vector<answers::ServedModel>> ListModels(storage::kv::KvStore& store) {
  EMEND_ASSIGN_OR_RETURN(const auto repos, Repository::List(store));
  std::vector<answers::ServedModel> models;
  for (const auto& record : repos) {
    EMEND_ASSIGN_OR_RETURN(const Repository repository, Repository::Open(store, record.name));
    EMEND_ASSIGN_OR_RETURN(const auto refs, repository.ListRefs());
    for (const Ref& ref : refs)
      models.push_back({record.name, ref.name, ref.commit, record.created_ms});
  }
  return models;
}

}  // namespace emend::coordinator::store
