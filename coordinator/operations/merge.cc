// merge: what another branch has learned since the two parted, brought into this one.
#include "storage/history/merge.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/measures.h"
#include "coordinator/operations/merge_stage.h"
#include "coordinator/operations/operation.h"
#include "storage/base/failpoint.h"
#include "storage/base/format.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::history::MergeKind;
using storage::history::MergePlan;
using storage::history::Ref;
using storage::history::RefKind;
using storage::history::Side;

constexpr std::size_t kConflictsNamedMax = 5;
constexpr std::size_t kEditDigitsMin = 4;

constexpr std::array<std::pair<std::string_view, Side>, 3> kSides = {
    {{"ours", Side::kOurs}, {"theirs", Side::kTheirs}, {"both", Side::kBoth}}};

struct MergeFields {
  std::string branch = "main";
  std::string revision;
  std::string message;
  std::optional<Side> prefer;                           // for whatever is not decided
  std::vector<std::pair<std::string, Side>> decisions;  // by the beginning of an edit's id
  bool no_fast_forward = false;
  bool dry_run = false;
};

struct Conflict {
  storage::history::SlotConflict slot;
  std::string ours;  // targets
  std::string theirs;
};

struct Merged {
  CommitId head;
  CommitId other;
  MergePlan plan;
  std::vector<Conflict> conflicts;
  Commit commit;  // unless it is fast-forward, or nothing is to be done
  // where the branch is then
  CommitId result;
  StateId state;
};

std::string_view KindName(MergeKind kind) {
  switch (kind) {
    case MergeKind::kUpToDate: return "up_to_date";
    case MergeKind::kFastForward: return "fast_forward";
    case MergeKind::kMerge: return "merge";
  }
  return "";
}

Result<std::string> TargetOf(const Repository& repository, const EditId& id,
                             const storage::objects::Slot& slot) {
  EMEND_ASSIGN_OR_RETURN(const auto edit, repository.objects().ReadEdit(id));
  for (const storage::objects::Fact& fact : edit.facts) {
    if (SlotOf(fact) == slot) return fact.target;
  }
  return Internal("edit " + id.Hex() + " does not hold the slot that it was found by");
}

// Edits are named by the beginnings of their ids: those of undecided slots are meant.
Result<std::map<EditId, Side>> Decide(const MergePlan& plan, const MergeFields& fields) {
  std::map<EditId, Side> decided;
  for (const auto& [beginning, side] : fields.decisions) {
    std::size_t found = 0;
    for (const auto& conflict : plan.conflicts) {
      for (const EditId& edit : {conflict.ours, conflict.theirs}) {
        if (!edit.Hex().starts_with(beginning)) continue;
        decided[edit] = side;
        ++found;
      }
    }
    if (found != 1 || beginning.size() < kEditDigitsMin) {
      return InvalidArgument(Format(
          "at /decisions: \"{}\" begins the ids of {} edits that are in conflict, expected the "
          "beginning ({} digits or more) of one",
          Shortened(beginning), found, kEditDigitsMin));
    }
  }
  return decided;
}

Result<MergePlan> PlanWith(const Repository& repository, const Merged& merged,
                           const MergeFields& fields) {
  if (fields.decisions.empty())
    return PlanMerge(repository, merged.head, merged.other, {.otherwise = fields.prefer});
  EMEND_ASSIGN_OR_RETURN(const MergePlan open,
                         PlanMerge(repository, merged.head, merged.other, {}));
  EMEND_ASSIGN_OR_RETURN(const auto decided, Decide(open, fields));
  return PlanMerge(repository, merged.head, merged.other,
                   {.decided = decided, .otherwise = fields.prefer});
}

Status CheckNoConflict(const Merged& merged, const MergeFields& fields) {
  if (merged.conflicts.empty() || fields.dry_run) return OkStatus();
  std::string names;
  for (std::size_t i = 0; i < std::min(merged.conflicts.size(), kConflictsNamedMax); ++i) {
    const Conflict& conflict = merged.conflicts[i];
    names += Format("; \"{}\" ({}) is \"{}\" here and \"{}\" there (edit {})",
                    Shortened(conflict.slot.slot.subject),
                    Shortened(conflict.slot.slot.relation_or_prompt), Shortened(conflict.ours),
                    Shortened(conflict.theirs), conflict.slot.theirs.Short());
  }
  return {StatusCode::kConflict, "merge_conflict",
          Format("merging {} into {}: {} facts were changed on both sides{}{}", fields.revision,
                 fields.branch, merged.conflicts.size(), names,
                 merged.conflicts.size() > kConflictsNamedMax ? "; and more" : "")};
}

// Everything of a merge: no worker is needed, since sets are put together. Runs on the pool.
Result<Merged> Prepare(JobContext& context, const Repository& repository, const JobInput& input,
                       const MergeFields& fields) {
  Merged merged;
  EMEND_ASSIGN_OR_RETURN(const Ref branch, repository.ReadRef(RefKind::kBranch, fields.branch));
  merged.head = branch.commit;
  EMEND_ASSIGN_OR_RETURN(merged.other, repository.Resolve(fields.revision));
  EMEND_ASSIGN_OR_RETURN(merged.plan, PlanWith(repository, merged, fields));
  for (const auto& slot : merged.plan.conflicts) {
    Conflict conflict{slot, {}, {}};
    EMEND_ASSIGN_OR_RETURN(conflict.ours, TargetOf(repository, slot.ours, slot.slot));
    EMEND_ASSIGN_OR_RETURN(conflict.theirs, TargetOf(repository, slot.theirs, slot.slot));
    merged.conflicts.push_back(std::move(conflict));
  }
  EMEND_RETURN_IF_ERROR(CheckNoConflict(merged, fields));
  if (merged.plan.kind == MergeKind::kFastForward && fields.no_fast_forward)
    merged.plan.kind = MergeKind::kMerge;
  const bool is_forward = merged.plan.kind == MergeKind::kFastForward && !fields.dry_run;
  merged.result = is_forward ? merged.other : merged.head;
  EMEND_ASSIGN_OR_RETURN(const Commit there, repository.ReadCommit(merged.result));
  merged.state = there.state;
  if (merged.plan.kind != MergeKind::kMerge || fields.dry_run) return merged;
  EMEND_ASSIGN_OR_RETURN(merged.commit, StageMerge(context, repository, input.operation.principal,
                                                   {merged.head, merged.other}, merged.plan));
  merged.commit.message = fields.message.empty()
                              ? "Merge " + fields.revision + " into " + fields.branch
                              : fields.message;
  merged.result = IdOf(merged.commit);
  merged.state = merged.commit.state;
  return merged;
}

ordered_json ConflictsJson(const std::vector<Conflict>& conflicts) {
  ordered_json json = ordered_json::array();
  for (const Conflict& conflict : conflicts) {
    const storage::objects::Slot& slot = conflict.slot.slot;
    json.push_back(
        {{"subject", slot.subject},
         {"relation_or_prompt", slot.relation_or_prompt},
         {"language", slot.language},
         {"ours", {{"edit", conflict.slot.ours.Hex()}, {"target", conflict.ours}}},
         {"theirs", {{"edit", conflict.slot.theirs.Hex()}, {"target", conflict.theirs}}}});
  }
  return json;
}

class MergeRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Filled("branch", fields_.branch);
    reader.Require("revision", fields_.revision);
    reader.Text("message", fields_.message);
    std::string prefer;
    if (reader.Filled("prefer", prefer)) fields_.prefer = ReadSide(reader, "prefer", prefer);
    std::vector<std::pair<std::string, std::string>> decisions;
    reader.TextMap("decisions", decisions);
    for (const auto& [edit, side] : decisions)
      fields_.decisions.emplace_back(edit, ReadSide(reader, "decisions", side));
    reader.Flag("no_fast_forward", fields_.no_fast_forward);
    reader.Flag("dry_run", fields_.dry_run);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = fields_.dry_run ? Role::kReads : Role::kReverts,
            .pool = Pool::kLocal,
            .cost = jobs::kRevertCost,
            .repo = repo,
            .branch = fields_.branch};
  }
  std::string_view Revision() const override { return fields_.revision; }

 private:
  static Side ReadSide(JsonReader& reader, std::string_view field, const std::string& name) {
    for (const auto& [known, side] : kSides) {
      if (name == known) return side;
    }
    reader.Fail(field, "found \"" + Shortened(name) + "\", known are ours, theirs, both");
    return Side::kOurs;
  }

  std::string ResultOf(const Merged& merged) const {
    ordered_json json = LocatedJson(merged.result, merged.state);
    json["branch"] = fields_.branch;
    json["kind"] = KindName(merged.plan.kind);
    json["ancestor"] = merged.plan.ancestor.Hex();
    json["added"] = merged.plan.added.size();
    json["removed"] = merged.plan.removed.size();
    json["conflicts"] = ConflictsJson(merged.conflicts);
    json["dry_run"] = fields_.dry_run;
    return json.dump();
  }

  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(
        Repository repository,
        co_await OpenRepository(input.context, RepoName(input.operation.repo)));
    EMEND_CO_ASSIGN_OR_RETURN(const Merged merged, co_await Blocking(context.runtime, [&] {
                                return Prepare(context, repository, input, fields_);
                              }));
    JobOutcome outcome{ResultOf(merged), {}};
    if (fields_.dry_run || merged.plan.kind == MergeKind::kUpToDate) co_return outcome;
    outcome.apply = [repository, fields = fields_, merged](
                        storage::records::Transaction& transaction, std::string&) -> Status {
      EMEND_FAILPOINT("merge.before_advance");
      if (merged.plan.kind == MergeKind::kFastForward) {
        return repository.MoveRef(transaction, {RefKind::kBranch, fields.branch, merged.other},
                                  merged.head, "merge: fast-forward to " + fields.revision);
      }
      return repository.Advance(transaction, fields.branch, merged.head, merged.commit).status();
    };
    co_return outcome;
  }

  MergeFields fields_;
};

}  // namespace

extern const OperationKind kMerge;
const OperationKind kMerge = {"merge", "merge", Subject::kRepo, ReadAs<MergeRequest>};

}  // namespace emend::coordinator::operations
