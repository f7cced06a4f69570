#include "coordinator/operations/commit_plan.h"

#include <algorithm>
#include <map>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using storage::objects::Edit;
using storage::objects::Fact;
using storage::objects::Slot;

struct Holder {
  EditId edit;
  Fact fact;
  std::size_t facts = 0;  // of that edit
};

Result<std::multimap<Slot, Holder>> ReadHeldSlots(const storage::history::Repository& repository,
                                                  const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> edits, repository.Edits(state));
  std::multimap<Slot, Holder> held;
  for (const EditId& id : edits) {
    EMEND_ASSIGN_OR_RETURN(const Edit edit, repository.objects().ReadEdit(id));
    for (const Fact& fact : edit.facts)
      held.emplace(SlotOf(fact), Holder{id, fact, edit.facts.size()});
  }
  return held;
}

std::string Describe(const Fact& fact) {
  return JsonQuote(Shortened(fact.prompt)) + " about " + JsonQuote(Shortened(fact.subject));
}

// Places of the request's facts without repetitions.
Result<std::vector<std::size_t>> Distinct(const std::vector<Fact>& facts) {
  std::map<Slot, std::size_t> seen;
  std::vector<std::size_t> distinct;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const auto [found, is_new] = seen.emplace(SlotOf(facts[i]), i);
    if (is_new) {
      distinct.push_back(i);
    } else if (facts[found->second].target != facts[i].target) {
      return Status(StatusCode::kConflict, "slot_conflict",
                    "at " + FactName(found->second) + " and " + FactName(i) + ": both are " +
                        Describe(facts[i]) + ", with the targets " +
                        JsonQuote(Shortened(facts[found->second].target)) + " and " +
                        JsonQuote(Shortened(facts[i].target)) + ": leave one of them out");
    }
  }
  return distinct;
}

// Sorts one fact into the plan by who holds its slot.
Status PlanFact(std::size_t place, const std::multimap<Slot, Holder>& held,
                const WantedFacts& request, MemberPlan& plan) {
  const Fact& fact = (*request.facts)[place];
  const auto [begin, end] = held.equal_range(SlotOf(fact));
  const bool is_held = std::any_of(begin, end, [&](const auto& entry) {
    return entry.second.fact.target == fact.target && entry.second.fact.join == fact.join;
  });
  if (is_held && !request.force) {
    plan.held.push_back(fact);
    plan.held_rows.push_back(place + 1);
    return OkStatus();
  }
  plan.facts.push_back(fact);
  plan.rows.push_back(place + 1);
  if (request.stack) return OkStatus();
  for (auto it = begin; it != end; ++it) {
    if (it->second.facts > 1) {
      return Status(StatusCode::kFailedPrecondition, "edit_not_separable",
                    "at " + FactName(place) + ": the slot of " + Describe(fact) +
                        " is held by edit " + it->second.edit.Short() + ", which carries " +
                        std::to_string(it->second.facts) +
                        " facts: revert that edit, or commit with --stack");
    }
    plan.superseded.push_back(it->second.edit);
  }
  return OkStatus();
}

Result<MemberPlan> PlanMember(const WantedFacts& request, const std::multimap<Slot, Holder>& held) {
  MemberPlan plan;
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::size_t> distinct, Distinct(*request.facts));
  plan.duplicates = request.facts->size() - distinct.size();
  for (const std::size_t place : distinct)
    EMEND_RETURN_IF_ERROR(PlanFact(place, held, request, plan));
  std::ranges::sort(plan.superseded);
  const auto repeated = std::ranges::unique(plan.superseded);
  plan.superseded.erase(repeated.begin(), repeated.end());
  return plan;
}

// Ids are digests: those with the least are a sample, and a steady one.
std::vector<Fact> SampleEarlier(const std::multimap<Slot, Holder>& held,
                                const std::vector<EditId>& superseded) {
  std::map<EditId, const Fact*> by_id;
  for (const auto& [slot, holder] : held) {
    if (!std::ranges::binary_search(superseded, holder.edit))
      by_id.emplace(holder.edit, &holder.fact);
  }
  std::vector<Fact> sample;
  for (const auto& [edit, fact] : by_id) {
    if (sample.size() == kEarlierMax) break;
    sample.push_back(*fact);
  }
  return sample;
}

}  // namespace

std::string FactName(std::size_t place) { return "/facts/" + std::to_string(place); }

std::size_t CommitPlan::fact_count() const {
  std::size_t count = 0;
  for (const MemberPlan& member : members) count += member.facts.size();
  return count;
}

Result<CommitPlan> PlanCommits(const storage::history::Repository& repository, const CommitId& head,
                               const std::vector<WantedFacts>& wanted,
                               storage::kv::WriteBatch& staging) {
  CommitPlan plan;
  plan.head = head;
  EMEND_ASSIGN_OR_RETURN(plan.parent, repository.ReadCommit(head));
  EMEND_ASSIGN_OR_RETURN(const auto held, ReadHeldSlots(repository, plan.parent.state));
  std::vector<EditId> superseded;
  for (const WantedFacts& request : wanted) {
    EMEND_ASSIGN_OR_RETURN(MemberPlan member, PlanMember(request, held));
    superseded.insert(superseded.end(), member.superseded.begin(), member.superseded.end());
    plan.members.push_back(std::move(member));
  }
  std::ranges::sort(superseded);
  plan.earlier = SampleEarlier(held, superseded);
  plan.solve_state = plan.parent.state;
  if (!superseded.empty()) {
    EMEND_ASSIGN_OR_RETURN(plan.solve_state,
                           repository.DeriveState(staging, plan.parent.state, {}, superseded));
  }
  return plan;
}

}  // namespace emend::coordinator::operations
