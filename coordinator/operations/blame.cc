// blame: which edits an answer comes from, and who made them.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "storage/base/time_text.h"
#include "storage/facts/fact_json.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using CommitsByEdit = std::map<EditId, storage::history::NumberedCommit>;
using worker::protocol::BlamedEdit;
using worker::protocol::BlameReply;

constexpr std::int64_t kBlameTokensMax = 64;
constexpr std::int64_t kBlamedMax = 100;
// An answer that loses less than this by an edit's leaving, in nats, does not hang on it: two
// fifths of its probability.
constexpr double kMattersMin = 0.5;

double ChangeBy(const BlameReply& reply, const BlamedEdit& edit) {
  return reply.log_probability - edit.log_probability;
}

// Who the answer is from: the base, which says it as readily without any edit; edits that it hangs
// on; or edits of which none alone matters.
const char* OriginOf(const BlameReply& reply) {
  if (reply.log_probability - reply.log_probability_base < kMattersMin) return "base";
  const bool hangs = std::ranges::any_of(
      reply.edits, [&](const BlamedEdit& edit) { return ChangeBy(reply, edit) >= kMattersMin; });
  return hangs ? "edits" : "together";
}

Result<ordered_json> BlamedJson(const Located& located, const BlameReply& reply,
                                const BlamedEdit& blamed, const CommitsByEdit& added_by) {
  EMEND_ASSIGN_OR_RETURN(const auto edit, located.repository.objects().ReadEdit(blamed.edit));
  ordered_json json = {{"edit", blamed.edit.Hex()}};
  if (const auto found = added_by.find(blamed.edit); found != added_by.end()) {
    const Commit& commit = found->second.commit;
    json.update({{"commit", found->second.id.Hex()},
                 {"author", commit.author},
                 {"time", RenderTime(commit.time_ms)},
                 {"message", commit.message}});
  }
  json["fact"] = ordered_json::parse(storage::facts::FactToJson(edit.facts.front()));
  const double change = ChangeBy(reply, blamed);
  json.update({{"influence", blamed.influence},
               {"log_probability_without", blamed.log_probability},
               {"change", change},
               {"matters", change >= kMattersMin}});
  return json;
}

// Those that the answer hangs on most first.
Result<ordered_json> BlamedEditsJson(const Located& located, BlameReply reply) {
  std::vector<EditId> edits;
  for (const BlamedEdit& blamed : reply.edits) edits.push_back(blamed.edit);
  EMEND_ASSIGN_OR_RETURN(const CommitsByEdit added_by,
                         located.repository.AddedBy(located.id, edits));
  std::ranges::stable_sort(reply.edits, {}, &BlamedEdit::log_probability);
  ordered_json json = ordered_json::array();
  for (const BlamedEdit& blamed : reply.edits) {
    EMEND_ASSIGN_OR_RETURN(json.emplace_back(), BlamedJson(located, reply, blamed, added_by));
  }
  return json;
}

class BlameRequest final : public RevisionRequest {
 public:
  void Read(JsonReader& reader) {
    ReadRevision(reader);
    reader.Require("prompt", prompt_);
    std::string answer;
    if (reader.Filled("answer", answer)) answer_ = std::move(answer);
    reader.Whole("tokens_max", tokens_max_, 1, kBlameTokensMax);
    reader.Whole("candidates", candidates_, 1, kBlamedMax);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kReads,
            .pool = Pool::kWorkers,
            .cost = static_cast<std::uint64_t>(candidates_),
            .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const override {
    JobContext& context = *input.context;
    const StateId state = located.commit.state;
    WorkerSession session(context, located.repository, input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await session.Open(state));
    worker::protocol::Blame request{.base = located.commit.base,
                                    .state = state,
                                    .prompt = prompt_,
                                    .answer = answer_,
                                    .tokens_max = static_cast<std::int32_t>(tokens_max_),
                                    .candidates = static_cast<std::uint64_t>(candidates_)};
    EMEND_CO_ASSIGN_OR_RETURN(const auto reply, co_await session.CallOn<BlameReply>(
                                                    state, std::move(request), kSolveTimeout));
    ordered_json json = LocatedJson(located.id, state);
    json.update({{"prompt", prompt_},
                 {"answer", reply.answer},
                 {"log_probability", reply.log_probability},
                 {"log_probability_base", reply.log_probability_base},
                 {"origin", OriginOf(reply)}});
    EMEND_CO_ASSIGN_OR_RETURN(json["edits"], co_await Blocking(context.runtime, [&] {
                                return BlamedEditsJson(located, reply);
                              }));
    co_return JobOutcome{json.dump(), {}};
  }

  std::string prompt_;
  std::optional<std::string> answer_;
  std::int64_t tokens_max_ = 8;
  std::int64_t candidates_ = 10;
};

}  // namespace

extern const OperationKind kBlame;
const OperationKind kBlame = {"blame", "read", Subject::kRepo, ReadAs<BlameRequest>};

}  // namespace emend::coordinator::operations
