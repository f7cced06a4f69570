#include "coordinator/server/diff.h"

#include <map>
#include <set>

#include "coordinator/core/state_builder.h"
#include "coordinator/core/tensor_diff.h"

namespace emend::coordinator::server {
namespace {

using storage::history::NumberedCommit;
using storage::history::Repository;
using storage::objects::Edit;
using storage::objects::Fact;
using storage::objects::Slot;

struct HeldFact {
  Fact fact;
  EditId edit;
};

Result<std::map<Slot, HeldFact>> FactsOf(const Repository& repository,
                                         const std::vector<EditId>& edits) {
  std::map<Slot, HeldFact> facts;
  for (const EditId& id : edits) {
    EMEND_ASSIGN_OR_RETURN(const Edit edit, repository.objects().ReadEdit(id));
    for (const Fact& fact : edit.facts) facts.insert_or_assign(SlotOf(fact), HeldFact{fact, id});
  }
  return facts;
}

// A slot on both sides changed its target, or did not change, though it may have been solved again
// (another edit, and perhaps other bytes); a slot on one side came or went.
std::vector<FactChange> CompareFacts(const std::map<Slot, HeldFact>& removed,
                                     const std::map<Slot, HeldFact>& added) {
  std::vector<FactChange> changes;
  for (const auto& [slot, held] : added) {
    const auto older = removed.find(slot);
    if (older == removed.end()) {
      changes.push_back({FactChange::Kind::kAdded, held.fact, std::nullopt, held.edit});
    } else if (older->second.fact.target != held.fact.target) {
      changes.push_back(
          {FactChange::Kind::kChanged, held.fact, older->second.fact.target, held.edit});
    }
  }
  for (const auto& [slot, held] : removed) {
    if (!added.contains(slot))
      changes.push_back({FactChange::Kind::kRemoved, held.fact, std::nullopt, held.edit});
  }
  return changes;
}

Result<std::vector<TensorChange>> CompareTensors(const core::StoreLayout& layout,
                                                 const Repository& repository, const StateId& from,
                                                 const StateId& to) {
  EMEND_ASSIGN_OR_RETURN(const auto base, core::OpenBase(layout, repository.record()));
  EMEND_ASSIGN_OR_RETURN(const auto before, core::RebuildState(base, repository, from));
  EMEND_ASSIGN_OR_RETURN(const auto after, core::RebuildState(base, repository, to));
  std::set<std::string> names;
  for (const auto& [name, tensor] : before) names.insert(name);
  for (const auto& [name, tensor] : after) names.insert(name);
  std::vector<TensorChange> changes;
  for (const std::string& name : names) {
    EMEND_ASSIGN_OR_RETURN(const auto view, base.checkpoint->Find(name));
    // A tensor that one side's edits do not touch serves the base's bytes there.
    const auto bytes = [&](const auto& side) -> std::span<const std::uint8_t> {
      const auto found = side.find(name);
      return found == side.end() ? view.bytes : std::span<const std::uint8_t>(found->second.bytes);
    };
    const core::TensorDistance distance = core::Measure(view.dtype, bytes(before), bytes(after));
    if (distance.changed > 0)
      changes.push_back({name, distance.elements, distance.changed, distance.difference_norm,
                         distance.weight_norm});
  }
  return changes;
}

Result<NumberedCommit> ReadNumbered(const Repository& repository, const std::string& revision) {
  EMEND_ASSIGN_OR_RETURN(const CommitId id, repository.Resolve(revision));
  EMEND_ASSIGN_OR_RETURN(auto commit, repository.ReadCommit(id));
  return NumberedCommit{id, std::move(commit)};
}

}  // namespace

Result<DiffReport> DiffCommits(const core::StoreLayout& layout, const Repository& repository,
                               const std::string& from, const std::string& to) {
  DiffReport report;
  EMEND_ASSIGN_OR_RETURN(report.from, ReadNumbered(repository, from));
  EMEND_ASSIGN_OR_RETURN(report.to, ReadNumbered(repository, to));
  EMEND_ASSIGN_OR_RETURN(const auto difference,
                         repository.Diff(report.from.commit.state, report.to.commit.state));
  EMEND_ASSIGN_OR_RETURN(const auto removed, FactsOf(repository, difference.removed));
  EMEND_ASSIGN_OR_RETURN(const auto added, FactsOf(repository, difference.added));
  report.facts = CompareFacts(removed, added);
  EMEND_ASSIGN_OR_RETURN(
      report.tensors,
      CompareTensors(layout, repository, report.from.commit.state, report.to.commit.state));
  return report;
}

}  // namespace emend::coordinator::server
