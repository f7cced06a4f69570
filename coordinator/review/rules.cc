#include "coordinator/review/rules.h"

#include "coordinator/store/scope.h"
#include "storage/base/format.h"

namespace emend::coordinator::review {
namespace {

using storage::history::Protection;
using storage::history::Protections;
using storage::history::Repository;
using storage::records::Transaction;

Status CheckRule(const Protection& rule) {
  EMEND_RETURN_IF_ERROR(storage::history::CheckPattern(rule.pattern));
  if (rule.approvals > storage::history::kApprovalsMax) {
    return InvalidArgument(Format("protecting {}: found {} approvals, expected at most {}",
                                  rule.pattern, rule.approvals, storage::history::kApprovalsMax));
  }
  for (const auto& [name, percent] : rule.required) {
    if (percent >= 0 && percent <= 100) continue;
    return InvalidArgument(
        Format("protecting {}: found {} for {}, expected percent", rule.pattern, percent, name));
  }
  return OkStatus();
}

}  // namespace

Result<Protection> PutRule(storage::records::Journal& journal, const answers::Caller& caller,
                           const RepoName& repo, Protection rule) {
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "admin"));
  EMEND_RETURN_IF_ERROR(CheckRule(rule));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    rule.principal = caller.principal.name;
    rule.created_ms = transaction.time_ms();
    Protections(repository.record().id).Put(transaction.batch(), rule.pattern, rule);
    transaction.Audit({"protection.put",
                       {{"repo", repo.value()},
                        {"pattern", rule.pattern},
                        {"approvals", std::to_string(rule.approvals)}}});
    return OkStatus();
  };
  EMEND_RETURN_IF_ERROR(journal.Commit(caller.principal, build).status());
  return rule;
}

Status RemoveRule(storage::records::Journal& journal, const answers::Caller& caller,
                  const RepoName& repo, const std::string& pattern) {
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "admin"));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    const auto rules = Protections(repository.record().id);
    EMEND_ASSIGN_OR_RETURN(const auto rule, rules.Find(transaction.store(), pattern));
    if (!rule)
      return NotFound("unprotecting " + pattern + " of repo " + repo.value() +
                      ": there is no such rule; emend protect " + repo.value() + " lists them");
    rules.Remove(transaction.batch(), pattern);
    transaction.Audit({"protection.remove", {{"repo", repo.value()}, {"pattern", pattern}}});
    return OkStatus();
  };
  return journal.Commit(caller.principal, build).status();
}

Result<std::vector<Protection>> ListRules(const Repository& repository) {
  return Protections(repository.record().id).List(repository.objects().store());
}

}  // namespace emend::coordinator::review
