#include "coordinator/review/probes.h"

#include "coordinator/store/scope.h"
#include "storage/base/format.h"

namespace emend::coordinator::review {
namespace {

using storage::history::Repository;
using storage::kv::ColumnFamily;
using storage::records::Transaction;

RecordTable<ProbeSuite> Suites(const Repository& repository) {
  return {ColumnFamily::kMeta, repository.record().id.value() + "probes/", "a probe suite"};
}
RecordTable<ProbeSuiteHead> Heads(const Repository& repository) {
  return {ColumnFamily::kMeta, repository.record().id.value() + "probe-head/", "a probe suite"};
}

}  // namespace

Status CheckSuiteName(const std::string& name) {
  // the alphabet of a repo's name
  return storage::history::CheckRepoName(name).WithContext("naming a probe suite");
}

ProbeSuiteHead PutSuite(Transaction& transaction, const Repository& repository, ProbeSuite suite) {
  suite.principal = transaction.principal().name;
  suite.created_ms = transaction.time_ms();
  Encoder facts;
  FieldWriter(facts).Write(suite.facts);
  ProbeSuiteHead head{.name = suite.name,
                      .count = suite.facts.size(),
                      .digest = Sha256(facts.bytes()),
                      .principal = suite.principal,
                      .created_ms = suite.created_ms};
  Suites(repository).Put(transaction.batch(), suite.name, suite);
  Heads(repository).Put(transaction.batch(), suite.name, head);
  transaction.Audit({"probes.put",
                     {{"repo", repository.record().name.value()},
                      {"name", head.name},
                      {"digest", head.digest.Hex()}}});
  return head;
}

Status RemoveSuite(storage::records::Journal& journal, const answers::Caller& caller,
                   const RepoName& repo, const std::string& name) {
  EMEND_RETURN_IF_ERROR(store::CheckScope(caller, "admin"));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(transaction.store(), repo));
    EMEND_RETURN_IF_ERROR(ReadSuite(repository, name).status());
    Suites(repository).Remove(transaction.batch(), name);
    Heads(repository).Remove(transaction.batch(), name);
    transaction.Audit({"probes.remove", {{"repo", repo.value()}, {"name", name}}});
    return OkStatus();
  };
  return journal.Commit(caller.principal, build).status();
}

Result<std::vector<ProbeSuiteHead>> ListSuites(const Repository& repository) {
  return Heads(repository).List(repository.objects().store());
}

Result<std::vector<ProbeSuite>> ReadSuites(const Repository& repository) {
  return Suites(repository).List(repository.objects().store());
}

Result<ProbeSuite> ReadSuite(const Repository& repository, const std::string& name) {
  EMEND_ASSIGN_OR_RETURN(std::optional<ProbeSuite> suite,
                         Suites(repository).Find(repository.objects().store(), name));
  if (suite) return *std::move(suite);
  const std::string& repo = repository.record().name.value();
  return NotFound(
      Format("the probe suite \"{}\" of repo {}: there is none; emend probes {} lists "
             "them",
             name, repo, repo));
}

Result<Digest> DigestOfSuites(const Repository& repository) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<ProbeSuiteHead> heads, ListSuites(repository));
  Encoder out;
  for (const ProbeSuiteHead& head : heads) {
    out.Text(head.name);
    out.Raw(head.digest.Raw());
  }
  return Sha256(out.bytes());
}

}  // namespace emend::coordinator::review
