// probes: facts that the model must go on saying, put into the repo.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/facts_field.h"
#include "coordinator/operations/operation.h"
#include "coordinator/review/probes.h"

namespace emend::coordinator::operations {
namespace {

class ProbesRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Require("name", name_);
    if (const Status named = review::CheckSuiteName(name_); !named.ok())
      reader.Fail("name", named.message());
    ReadFacts(reader, facts_);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kReads, .pool = Pool::kLocal, .cost = 1, .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    EMEND_CO_ASSIGN_OR_RETURN(
        Repository repository,
        co_await OpenRepository(input.context, RepoName(input.operation.repo)));
    JobOutcome outcome;
    outcome.apply = [repository, suite = review::ProbeSuite{name_, facts_, {}, 0}](
                        storage::records::Transaction& transaction, std::string& result) {
      const review::ProbeSuiteHead head = review::PutSuite(transaction, repository, suite);
      result =
          nlohmann::ordered_json{
              {"name", head.name}, {"n", head.count}, {"digest", head.digest.Hex()}}
              .dump();
      return OkStatus();
    };
    co_return outcome;
  }

  std::string name_;
  std::vector<storage::objects::Fact> facts_;
};

}  // namespace

extern const OperationKind kProbes;
const OperationKind kProbes = {"probes", "admin", Subject::kRepo, ReadAs<ProbesRequest>};

}  // namespace emend::coordinator::operations
