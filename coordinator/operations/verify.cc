// verify: live weights, an independent rebuild and the manifest compared.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/live_check.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/stored_check.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::checkpoint::DigestCheck;

bool AllIntact(const std::vector<DigestCheck>& checks) {
  return std::ranges::all_of(checks, [](const DigestCheck& check) { return check.fault.empty(); });
}

ordered_json ChecksJson(const std::vector<DigestCheck>& checks) {
  ordered_json json = ordered_json::array();
  for (const DigestCheck& check : checks) {
    ordered_json item = {
        {"name", check.name}, {"digest", check.digest.Hex()}, {"ok", check.fault.empty()}};
    if (!check.fault.empty()) item["fault"] = check.fault;
    json.push_back(std::move(item));
  }
  return json;
}

std::string ResultOf(const Located& located, const StoredCheck& result) {
  ordered_json json = {{"ok", AllIntact(result.tensors) && AllIntact(result.files)}};
  json.update(LocatedJson(located.id, located.commit.state));
  json["tensors"] = ChecksJson(result.tensors);
  json["files"] = ChecksJson(result.files);
  return json.dump();
}

class VerifyRequest final : public RevisionRequest {
 public:
  void Read(JsonReader& reader) { ReadRevision(reader); }
  Demand DemandOn(const std::string& repo) const override {
    return {
        .role = Role::kReads, .pool = Pool::kWorkers, .cost = jobs::kWholeModelCost, .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const override {
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(StoredCheck result, co_await Blocking(context.runtime, [&] {
                                return CheckStored(context, located);
                              }));
    WorkerSession session(context, located.repository, input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await session.Open(located.commit.state));
    EMEND_CO_ASSIGN_OR_RETURN(
        const auto manifest, co_await Blocking(context.runtime, [&] {
          return located.repository.objects().ReadManifest(located.commit.state);
        }));
    // Where what is stored is damaged, there is nothing sound to hold a worker against.
    if (!AllIntact(result.tensors)) co_return JobOutcome{ResultOf(located, result), {}};
    EMEND_CO_ASSIGN_OR_RETURN(const LiveFaults faults,
                              co_await CheckLive(&context, &session, &located.repository,
                                                 located.commit.state, manifest.roots));
    for (DigestCheck& check : result.tensors) {
      if (const auto found = faults.find(check.name); found != faults.end())
        check.fault = found->second;
    }
    co_return JobOutcome{ResultOf(located, result), {}};
  }
};

}  // namespace

extern const OperationKind kVerify;
const OperationKind kVerify = {"verify", "read", Subject::kRepo, ReadAs<VerifyRequest>};

}  // namespace emend::coordinator::operations
