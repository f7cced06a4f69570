#include "coordinator/operations/commit_stage.h"

#include <algorithm>

#include "coordinator/core/state_builder.h"
#include "storage/base/failpoint.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using storage::kv::Durability;
using storage::kv::WriteBatch;
using storage::objects::Edit;

constexpr std::size_t kSaltBytes = 16;

Result<EditId> StageEdit(JobContext& context, const storage::objects::ObjectStore& objects,
                         WriteBatch& batch, const Edit& unsalted,
                         const worker::protocol::SolvedEdit& solved) {
  // Reading back what a worker sent, before it is kept: a payload that does not decode must never
  // become part of history.
  EMEND_RETURN_IF_ERROR(storage::delta::DecodeEditDelta(solved.delta_payload).status());
  EMEND_RETURN_IF_ERROR(storage::delta::DecodeEditKeys(solved.keys_payload).status());
  EMEND_RETURN_IF_ERROR(storage::delta::DecodeEditTarget(solved.target_payload).status());
  Edit edit = unsalted;
  edit.salt = context.runtime.random().Bytes(kSaltBytes);
  edit.delta_digest = Sha256(solved.delta_payload);
  edit.keys_digest = Sha256(solved.keys_payload);
  edit.target_digest = Sha256(solved.target_payload);
  EMEND_ASSIGN_OR_RETURN(edit.delta_object, objects.PutPayload(batch, solved.delta_payload));
  EMEND_ASSIGN_OR_RETURN(edit.keys_object, objects.PutPayload(batch, solved.keys_payload));
  EMEND_ASSIGN_OR_RETURN(edit.target_object, objects.PutPayload(batch, solved.target_payload));
  return objects.PutEdit(batch, edit);
}

// The edits of each member, in the order of its facts.
Result<std::vector<std::vector<EditId>>> StageEdits(JobContext& context,
                                                    const storage::history::Repository& repository,
                                                    const SolvedBatch& solved) {
  const CommitPlan& plan = solved.plan;
  if (solved.reply.edits.size() != plan.fact_count()) {
    return Internal("a worker solved " + std::to_string(plan.fact_count()) + " facts and sent " +
                    std::to_string(solved.reply.edits.size()) + " edits");
  }
  std::vector<std::vector<EditId>> added;
  WriteBatch batch;
  auto next = solved.reply.edits.begin();
  for (const MemberPlan& member : plan.members) {
    std::vector<EditId>& of_member = added.emplace_back();
    for (const storage::objects::Fact& fact : member.facts) {
      const Edit edit{.salt = {},
                      .facts = {fact},
                      .solved_on = plan.solve_state,
                      .method = solved.method,
                      .delta_digest = {},
                      .keys_digest = {},
                      .target_digest = {},
                      .delta_object = {},
                      .keys_object = {},
                      .target_object = {}};
      EMEND_ASSIGN_OR_RETURN(const EditId id,
                             StageEdit(context, repository.objects(), batch, edit, *next++));
      of_member.push_back(id);
    }
  }
  EMEND_RETURN_IF_ERROR(context.store.Write(batch, Durability::kUnsynced));
  EMEND_FAILPOINT("commit.payloads_staged");
  return added;
}

Result<storage::objects::Manifest> BuildManifest(JobContext& context,
                                                 const storage::history::Repository& repository,
                                                 const StateId& state) {
  if (auto known = repository.objects().ReadManifest(state); known.ok()) return known;
  EMEND_ASSIGN_OR_RETURN(const auto base, core::OpenBase(context.layout, repository.record()));
  EMEND_ASSIGN_OR_RETURN(const auto tensors, core::RebuildState(base, repository, state));
  return core::ManifestOf(state, tensors);
}

}  // namespace

Result<StagedState> StageState(JobContext& context, const storage::history::Repository& repository,
                               const StateId& parent, const std::vector<EditId>& added,
                               const std::vector<EditId>& removed) {
  StagedState staged{.state = {}, .edits = {}, .added = added, .manifest = {}};
  WriteBatch batch;
  EMEND_ASSIGN_OR_RETURN(staged.state, repository.DeriveState(batch, parent, added, removed));
  EMEND_RETURN_IF_ERROR(context.store.Write(batch, Durability::kUnsynced));
  EMEND_ASSIGN_OR_RETURN(staged.manifest, BuildManifest(context, repository, staged.state));
  WriteBatch manifest;
  repository.objects().PutManifest(manifest, staged.manifest);
  EMEND_RETURN_IF_ERROR(context.store.Write(manifest, Durability::kUnsynced));
  EMEND_FAILPOINT("commit.state_staged");
  return staged;
}

Result<std::vector<StagedState>> StageSolved(JobContext& context,
                                             const storage::history::Repository& repository,
                                             const SolvedBatch& solved) {
  const CommitPlan& plan = solved.plan;
  EMEND_ASSIGN_OR_RETURN(const auto edits, StageEdits(context, repository, solved));
  std::vector<StagedState> states;
  StagedState last{.state = plan.parent.state, .edits = {}, .added = {}, .manifest = {}};
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    last.added.clear();
    last.edits.clear();
    if (!edits[i].empty()) {
      std::vector<EditId> added = edits[i];
      std::ranges::sort(added);
      EMEND_ASSIGN_OR_RETURN(
          last, StageState(context, repository, last.state, added, plan.members[i].superseded));
      last.edits = edits[i];
    }
    states.push_back(last);
  }
  return states;
}

Status CheckStaged(const storage::history::Repository& repository,
                   const std::vector<EditId>& added) {
  for (const EditId& id : added) {
    Result<Edit> edit = repository.objects().ReadEdit(id);
    Status found = edit.status();
    for (const auto payload : {&Edit::delta_object, &Edit::keys_object, &Edit::target_object}) {
      if (found.ok()) found = repository.objects().ReadPayload((*edit).*payload).status();
    }
    if (found.code() == StatusCode::kNotFound) {
      return Failure(
          Reason::kStagingLost,
          "committing edit " + id.Short() + ": what was staged for it is gone: " + found.message());
    }
    EMEND_RETURN_IF_ERROR(found);
  }
  return OkStatus();
}

}  // namespace emend::coordinator::operations
