#include "coordinator/operations/merge_stage.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "coordinator/operations/commit_stage.h"
#include "coordinator/operations/measures.h"
#include "storage/base/format.h"
#include "storage/text/slot.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::objects::Fact;
using storage::objects::Slot;

// What a reviewer is shown in words.
constexpr std::size_t kFactsShownMax = 20;
constexpr std::size_t kOthersShownMax = 2;  // paraphrases, and neighbours, of one fact
constexpr std::int32_t kShownTokens = 10;
constexpr std::size_t kForgottenNamedMax = 100;  // of one suite

// Approvals and measures may be missing: what is staged is what they are about.
Status CheckStageable(const review::Standing& standing) {
  using review::Block;
  for (const review::Blocker& blocker : standing.blockers) {
    const std::string what = Format("proposal {}: {}", standing.proposal.number, blocker.message);
    switch (blocker.block) {
      case Block::kConflicts: return {StatusCode::kConflict, "merge_conflict", what};
      case Block::kNotOpen:
      case Block::kNoBranch:
      case Block::kNothingToMerge:
        return {StatusCode::kFailedPrecondition, std::string(BlockName(blocker.block)), what};
      case Block::kChangesRequested:
      case Block::kApprovals:
      case Block::kRequirements: break;
    }
  }
  return OkStatus();
}

Status AddFacts(const Repository& repository, const std::vector<EditId>& ids,
                const std::set<Slot>& but, std::size_t member, Candidate& candidate) {
  MemberPlan& plan = candidate.plan.members[member];
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(const auto edit, repository.objects().ReadEdit(id));
    for (const Fact& fact : edit.facts) {
      if (but.contains(SlotOf(fact))) continue;
      plan.facts.push_back(fact);
      plan.rows.push_back(plan.facts.size());
      candidate.edits[member].push_back(id);
    }
  }
  return OkStatus();
}

// A sample of what the target holds and keeps: ids are digests, so that those with the least are
// one.
Status SampleEarlier(const Repository& repository, const std::vector<EditId>& removed,
                     CommitPlan& plan) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> held, repository.Edits(plan.parent.state));
  for (const EditId& id : held) {
    if (plan.earlier.size() == kEarlierMax) break;
    if (std::ranges::binary_search(removed, id)) continue;
    EMEND_ASSIGN_OR_RETURN(auto edit, repository.objects().ReadEdit(id));
    plan.earlier.push_back(std::move(edit.facts.front()));
  }
  return OkStatus();
}

// Texts by the likeliest tokens.
class Speaker {
 public:
  Speaker(JobContext& context, const Repository& repository, JobControl control, BaseId base)
      : base_(base), session_(context, repository, WithPieces(std::move(control))) {}
  Speaker(const Speaker&) = delete;  // its session's control points to it
  Speaker& operator=(const Speaker&) = delete;

  Awaitable<Result<std::string>> Say(StateId state, std::string prompt) {
    text_.clear();
    worker::protocol::Complete request{.base = base_,
                                       .state = state,
                                       .prompt = std::move(prompt),
                                       .tokens_max = kShownTokens,
                                       .temperature = 0,
                                       .stop = {"\n"}};
    EMEND_CO_RETURN_IF_ERROR((co_await session_.Complete(std::move(request))).status());
    co_return text_;
  }

 private:
  JobControl WithPieces(JobControl control) {
    control.piece = [this](const worker::protocol::Piece& piece) { text_ += piece.text; };
    return control;
  }

  BaseId base_;
  std::string text_;
  WorkerSession session_;
};

// What a fact's answers are looked for in: kind and prompt.
std::vector<std::pair<const char*, std::string>> PromptsOf(const Fact& fact) {
  std::vector<std::pair<const char*, std::string>> prompts = {
      {"prompt", storage::text::FillSlot(fact.prompt, fact.subject)}};
  for (std::size_t i = 0; i < std::min(fact.paraphrases.size(), kOthersShownMax); ++i)
    prompts.emplace_back("paraphrase", fact.paraphrases[i]);
  for (std::size_t i = 0; i < std::min(fact.neighbours.size(), kOthersShownMax); ++i)
    prompts.emplace_back("neighbour", fact.neighbours[i].prompt);
  return prompts;
}

Awaitable<Result<ordered_json>> SayAnswers(Speaker* speaker, const Candidate* candidate) {
  ordered_json json = ordered_json::array();
  for (const MemberPlan& member : candidate->plan.members) {
    for (std::size_t i = 0; i < std::min(member.facts.size(), kFactsShownMax); ++i) {
      ordered_json answers = ordered_json::array();
      for (const auto& [kind, prompt] : PromptsOf(member.facts[i])) {
        EMEND_CO_ASSIGN_OR_RETURN(const std::string before,
                                  co_await speaker->Say(candidate->plan.parent.state, prompt));
        EMEND_CO_ASSIGN_OR_RETURN(const std::string after,
                                  co_await speaker->Say(candidate->commit.state, prompt));
        answers.push_back(
            {{"kind", kind}, {"prompt", prompt}, {"before", before}, {"after", after}});
      }
      json.push_back({{"comes", &member == &candidate->plan.members.front()},
                      {"row", member.rows[i]},
                      {"answers", std::move(answers)}});
    }
  }
  co_return json;
}

// What the target says of the suites, and what the merge does. Adds to `measured` how much of the
// former stays, in percent.
Awaitable<Result<ordered_json>> AskProbes(WorkerSession* session, const Candidate* candidate,
                                          BaseId base, Required* measured) {
  ordered_json json = ordered_json::array();
  std::size_t said_before = 0, lost = 0;
  for (const review::ProbeSuite& suite : candidate->suites) {
    EMEND_CO_ASSIGN_OR_RETURN(
        const EvaluateReply before,
        co_await AskFacts(session, base, candidate->plan.parent.state, suite.facts));
    EMEND_CO_ASSIGN_OR_RETURN(
        const EvaluateReply after,
        co_await AskFacts(session, base, candidate->commit.state, suite.facts));
    ordered_json forgotten = ordered_json::array();
    for (std::size_t i = 0; i < suite.facts.size(); ++i) {
      if (!before.facts[i].taken) continue;
      ++said_before;
      if (after.facts[i].taken) continue;
      ++lost;
      if (forgotten.size() == kForgottenNamedMax) continue;
      const Fact& fact = suite.facts[i];
      forgotten.push_back({{"row", i + 1},
                           {"prompt", storage::text::FillSlot(fact.prompt, fact.subject)},
                           {"target", fact.target},
                           {"before", before.facts[i].probability},
                           {"after", after.facts[i].probability}});
    }
    json.push_back({{"suite", suite.name},
                    {"n", suite.facts.size()},
                    {"said_before", TakenOf(before.facts)},
                    {"said", TakenOf(after.facts)},
                    {"forgotten", std::move(forgotten)}});
  }
  if (said_before > 0)
    (*measured)["probes"] =
        100.0 * static_cast<double>(said_before - lost) / static_cast<double>(said_before);
  co_return json;
}

// Of the facts that come, with those that go beside them.
ordered_json EvidenceOf(const Candidate& candidate, const BatchMeasures& measures) {
  ordered_json coming = EvidenceJson(candidate.plan.members[0], candidate.edits[0], measures, 0);
  ordered_json going = EvidenceJson(candidate.plan.members[1], candidate.edits[1], measures, 1);
  ordered_json facts = going.contains("facts") ? std::move(going["facts"]) : ordered_json::array();
  if (coming.empty()) {
    for (const char* about_all : {"drift", "earlier"}) {
      if (going.contains(about_all)) coming[about_all] = std::move(going[about_all]);
    }
    coming["facts"] = ordered_json::array();
  }
  coming["taken_out"] = std::move(facts);
  return coming;
}

}  // namespace

Result<Commit> StageMerge(JobContext& context, const Repository& repository,
                          const storage::records::Principal& author,
                          const std::pair<CommitId, CommitId>& heads,
                          const storage::history::MergePlan& plan) {
  EMEND_ASSIGN_OR_RETURN(const Commit into, repository.ReadCommit(heads.first));
  EMEND_ASSIGN_OR_RETURN(const StagedState staged,
                         StageState(context, repository, into.state, plan.added, plan.removed));
  Commit commit =
      NewCommit(context, storage::objects::CommitKind::kMerge, {heads.first, heads.second}, author);
  commit.base = into.base;
  commit.state = staged.state;
  commit.added = plan.added;
  commit.removed = plan.removed;
  return commit;
}

Result<Candidate> StageCandidate(JobContext& context, const Repository& repository,
                                 const storage::records::Operation& operation,
                                 std::uint64_t proposal) {
  Candidate candidate;
  EMEND_ASSIGN_OR_RETURN(candidate.standing, review::ReadStanding(repository, proposal));
  EMEND_RETURN_IF_ERROR(CheckStageable(candidate.standing));
  const review::Revision& revision = *candidate.standing.revision;
  EMEND_ASSIGN_OR_RETURN(candidate.commit,
                         StageMerge(context, repository, operation.principal,
                                    {revision.target, revision.source}, revision.plan));
  const review::Proposal& said = candidate.standing.proposal;
  candidate.commit.message = Format("Merge proposal {}: {}", said.number, said.title) +
                             (said.text.empty() ? "" : "\n\n" + said.text);
  CommitPlan& plan = candidate.plan;
  plan.head = revision.target;
  EMEND_ASSIGN_OR_RETURN(plan.parent, repository.ReadCommit(plan.head));
  plan.solve_state = plan.parent.state;
  plan.members.resize(2);
  EMEND_RETURN_IF_ERROR(AddFacts(repository, revision.plan.added, {}, 0, candidate));
  std::set<Slot> coming;
  for (const Fact& fact : plan.members[0].facts) coming.insert(SlotOf(fact));
  EMEND_RETURN_IF_ERROR(AddFacts(repository, revision.plan.removed, coming, 1, candidate));
  EMEND_RETURN_IF_ERROR(SampleEarlier(repository, revision.plan.removed, plan));
  EMEND_ASSIGN_OR_RETURN(candidate.suites, review::ReadSuites(repository));
  EMEND_ASSIGN_OR_RETURN(candidate.suites_digest, review::DigestOfSuites(repository));
  return candidate;
}

Awaitable<Result<review::Check>> MeasureCandidate(JobContext* context, const Repository* repository,
                                                  const Candidate* candidate, JobControl control) {
  const review::Revision& revision = *candidate->standing.revision;
  review::Check check{.proposal = candidate->standing.proposal.number,
                      .revision = revision.id,
                      .source = revision.source,
                      .target = revision.target,
                      .state = candidate->commit.state,
                      .probes = candidate->suites_digest,
                      .time_ms = candidate->commit.time_ms};
  const BaseId base = repository->record().base;
  BatchMeasures measures;
  WorkerSession session(*context, *repository, control);
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(candidate->commit.state));
  EMEND_CO_RETURN_IF_ERROR(
      co_await Measure(&session, &candidate->plan, base, std::nullopt, &measures));
  EMEND_CO_RETURN_IF_ERROR(
      co_await Measure(&session, &candidate->plan, base, candidate->commit.state, &measures));
  ordered_json evidence = EvidenceOf(*candidate, measures);
  Speaker speaker(*context, *repository, control, base);
  EMEND_CO_ASSIGN_OR_RETURN(evidence["answers"], co_await SayAnswers(&speaker, candidate));
  const MemberMeasures& coming = measures.members.front();
  if (coming.before && coming.after) {
    check.before = ToEvaluation(*coming.before);
    check.after = ToEvaluation(*coming.after);
    check.measured = MeasuredOf(*coming.after);
  }
  EMEND_CO_ASSIGN_OR_RETURN(evidence["probes"],
                            co_await AskProbes(&session, candidate, base, &check.measured));
  check.evidence = evidence.dump();
  co_return check;
}

}  // namespace emend::coordinator::operations
