#include "coordinator/jobs/demand.h"

#include <algorithm>
#include <utility>

#include "storage/base/encoding.h"

namespace emend::coordinator::jobs {
namespace {

// In facts solved. Rough: they only weigh repos against each other.
constexpr std::uint64_t kStatisticsCost = 1000;
constexpr std::uint64_t kWholeModelCost = 100;
constexpr std::uint64_t kRevertCost = 10;

// Everything of a commit request that its members must share to be solved in one batch.
Digest KeyOf(const core::CommitRequest& request) {
  Encoder out;
  out.Text(request.method);
  out.Count(request.settings.size());
  for (const auto& [name, value] : request.settings) {
    out.Text(name);
    out.Text(value);
  }
  out.Count(request.context_templates.size());
  for (const auto& group : request.context_templates) {
    out.Count(group.size());
    for (const std::string& text : group) out.Text(text);
  }
  for (const bool flag : {request.force, request.stack, request.evaluate}) out.Bool(flag);
  return Sha256(out.bytes());
}

std::uint64_t HashOf(const storage::objects::Slot& slot) {
  Encoder out;
  out.Text(slot.subject);
  out.Text(slot.relation_or_prompt);
  out.Text(slot.language);
  const Digest digest = Sha256(out.bytes());
  return Decoder(std::string_view(reinterpret_cast<const char*>(digest.bytes.data()),
                                  sizeof(std::uint64_t)))
      .U64();
}

std::vector<std::uint64_t> SlotsOf(const std::vector<storage::objects::Fact>& facts) {
  std::vector<std::uint64_t> slots;
  for (const auto& fact : facts) slots.push_back(HashOf(SlotOf(fact)));
  std::ranges::sort(slots);
  const auto repeated = std::ranges::unique(slots);
  slots.erase(repeated.begin(), repeated.end());
  return slots;
}

struct Reader {
  Demand demand;

  void operator()(const core::ImportRequest&) {
    Take(Role::kImports, Pool::kFiles, kWholeModelCost);
  }
  void operator()(const core::StatisticsRequest&) {
    Take(Role::kCounts, Pool::kWorkers, kStatisticsCost);
  }
  void operator()(const core::CommitRequest& request) {
    Take(Role::kEdits, Pool::kWorkers, 1 + request.facts.size());
    demand.branch = request.branch;
    demand.key = KeyOf(request);
    demand.facts = request.facts.size();
    demand.slots = SlotsOf(request.facts);
  }
  void operator()(const core::RevertRequest& request) {
    Take(Role::kReverts, Pool::kLocal, kRevertCost);
    demand.branch = request.branch;
  }
  void operator()(const core::EvaluationRequest& request) {
    Take(Role::kReads, Pool::kWorkers, 1 + request.facts.size());
  }
  void operator()(const core::VerifyRequest&) {
    Take(Role::kReads, Pool::kWorkers, kWholeModelCost);
  }
  void operator()(const core::ExportRequest&) { Take(Role::kReads, Pool::kFiles, kWholeModelCost); }
  void operator()(const core::FsckRequest&) { Take(Role::kReads, Pool::kLocal, kWholeModelCost); }

  void Take(Role role, Pool pool, std::uint64_t cost) {
    demand.role = role;
    demand.pool = pool;
    demand.cost = cost;
  }
};

}  // namespace

Demand DemandOf(const std::string& repo, const core::OperationRequest& request) {
  Reader reader;
  reader.demand.repo = repo;
  std::visit(reader, request);
  return std::move(reader.demand);
}

}  // namespace emend::coordinator::jobs
