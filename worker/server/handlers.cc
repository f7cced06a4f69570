#include "worker/server/handlers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "storage/base/failpoint.h"
#include "storage/base/log.h"
#include "worker/collective/exchange.h"
#include "worker/edit/solve_batch.h"
#include "worker/edit/statistics.h"
#include "worker/eval/counterfact.h"
#include "worker/eval/generate.h"
#include "worker/eval/sample.h"
#include "worker/model/guard.h"
#include "worker/server/solve_messages.h"

namespace emend::worker::server {
namespace {

using namespace std::chrono_literals;
using protocol::ReplyBody;

constexpr auto kSliceMin = 20ms;  // between two looks for work
constexpr auto kSliceMax = 1s;    // of a long request's time, at each report

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::string WithSubject(const std::string& prompt, const std::string& subject) {
  const std::size_t slot = prompt.find("{}");
  return slot == std::string::npos ? prompt : std::string(prompt).replace(slot, 2, subject);
}

}  // namespace

Result<ReplyBody> Handlers::Handle(const protocol::RequestBody& request, const Call& call) {
  const std::string name(protocol::TraitsOf(request).name);
  return model::Guarded("running the request " + name, [&]() -> Result<ReplyBody> {
    if (call.cancelled->load())
      return Status(StatusCode::kCancelled, "the coordinator cancelled the request");
    if (!in_between_) resumed_ = SystemClock().Now();
    EMEND_FAILPOINT("worker." + name + ".received");
    const bool leads =
        group_.size() > 1 && protocol::TraitsOf(request).fan_out == protocol::FanOut::kAllRanks;
    EMEND_ASSIGN_OR_RETURN(ReplyBody reply, leads ? Lead(request, call) : Dispatch(request, call));
    turns_.Done(request, SystemClock().Now());
    EMEND_FAILPOINT("worker." + name + ".before_reply");
    return reply;
  });
}

Result<ReplyBody> Handlers::Lead(const protocol::RequestBody& request, const Call& call) {
  collective::Communicator& ranks = group_.communicator();
  if (!group_.is_leader()) {
    return FailedPrecondition("running the request " +
                              std::string(protocol::TraitsOf(request).name) + " on rank " +
                              std::to_string(ranks.rank()) + ": rank 0 is to be asked");
  }
  passed_on_ = true;
  EMEND_RETURN_IF_ERROR(
      collective::BroadcastBytes(ranks, protocol::EncodeMessage(protocol::Request{0, request}),
                                 /*root=*/0)
          .status());
  // What is thrown here must not jump over the agreement that the others wait in.
  const std::string name(protocol::TraitsOf(request).name);
  Result<ReplyBody> reply =
      model::Guarded("running the request " + name, [&] { return Dispatch(request, call); });
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(ranks, reply.status()));
  return reply;
}

Handlers::Word Handlers::Decide(const Call& call, SteadyTime until, int turn,
                                std::shared_ptr<Interlude>& next) {
  if (call.cancelled->load()) return Word::kCancelled;
  if (in_between_ || !group_.is_leader()) return Word::kGoOn;
  // Where several ask without a pause there is always a next one.
  const bool has_time = SystemClock().Now() < until;
  if (has_time || turn == 0) next = interludes_.Take();
  if (next) return Word::kInBetween;
  return has_time && texts_under_way() ? Word::kInBetween : Word::kGoOn;
}

Status Handlers::StillWanted(const Call& call) {
  collective::Communicator& ranks = group_.communicator();
  const SteadyTime begin = SystemClock().Now();
  const SteadyTime until = begin + std::min<SteadyTime::duration>(begin - resumed_, kSliceMax);
  for (int turn = 0;; ++turn) {
    std::shared_ptr<Interlude> next;
    at::Tensor word =
        at::full({1}, static_cast<std::int64_t>(Decide(call, until, turn, next)), at::kLong);
    const Status decided = ranks.Broadcast(word, /*root=*/0);
    if (!decided.ok() && next) next->done(decided);
    EMEND_RETURN_IF_ERROR(decided);
    const auto decision = static_cast<Word>(word.item<std::int64_t>());
    if (decision == Word::kCancelled)
      return {StatusCode::kCancelled, "the coordinator cancelled the request"};
    if (decision == Word::kGoOn) break;
    in_between_ = true;
    Status followed;
    if (next) {
      Answer(next);
    } else if (group_.is_leader()) {
      StepTexts();
    } else {
      followed = FollowNext();
    }
    in_between_ = false;
    EMEND_RETURN_IF_ERROR(followed);
  }
  resumed_ = SystemClock().Now();
  return OkStatus();
}

std::optional<protocol::HeldBase> Handlers::Held() const {
  if (bases_.empty()) return std::nullopt;
  if (in_between_) return protocol::HeldBase{bases_.begin()->first, protocol::BaseUse::kWork};
  return protocol::HeldBase{bases_.begin()->first, texts_under_way() ? protocol::BaseUse::kTexts
                                                                     : protocol::BaseUse::kNone};
}

void Handlers::Answer(const std::shared_ptr<Interlude>& interlude) {
  passed_on_ = false;
  if (interlude->call.cancelled->load()) {
    interlude->done(Status(StatusCode::kCancelled, "the coordinator cancelled the request"));
  } else if (const Status admitted = turns_.Admit(interlude->request, Held(), SystemClock().Now());
             !admitted.ok()) {
    interlude->done(admitted);
  } else if (std::holds_alternative<protocol::Complete>(interlude->request)) {
    Begin(interlude);
  } else {
    interlude->done(Handle(interlude->request, interlude->call));
  }
  // The other ranks wait for something to be passed on. If they are gone, whatever is asked next
  // says so.
  if (in_between_ && group_.size() > 1 && !passed_on_)
    static_cast<void>(collective::BroadcastBytes(group_.communicator(), {}, /*root=*/0));
}

void Handlers::Begin(const std::shared_ptr<Interlude>& text) {
  const std::string what = "beginning a text";
  const Status begun = model::Guarded(what, [&]() -> Status {
    EMEND_RETURN_IF_ERROR(Base(std::get<protocol::Complete>(text->request).base).status());
    texts_->Begin(text);
    return OkStatus();
  });
  if (!begun.ok()) text->done(begun);
}

void Handlers::StepTexts() {
  const Status stepped = Handle(protocol::StepTexts{bases_.begin()->first}, NobodysCall()).status();
  if (!stepped.ok()) LogWarning("texts_not_stepped", {{"status", stepped}});
  // The group is lost: nothing steps them any more.
  if (!stepped.ok()) texts_->EndAll(stepped);
}

Result<ReplyBody> Handlers::Run(const protocol::StepTexts& request, const Call&) {
  EMEND_RETURN_IF_ERROR(Base(request.base).status());
  const Status stepped = texts_->Step();
  NoteCache();
  EMEND_RETURN_IF_ERROR(stepped);
  return ReplyBody(protocol::StepTextsReply{});
}

Result<ReplyBody> Handlers::Run(const protocol::ProbeRanks&, const Call&) {
  EMEND_ASSIGN_OR_RETURN(protocol::ProbeRanksReply reply, group_.Probe());
  return ReplyBody(std::move(reply));
}

bool Handlers::RunOffered() {
  in_between_ = false;
  const SteadyTime until = SystemClock().Now() + kSliceMin;
  const auto has_time = [until] { return SystemClock().Now() < until; };
  while (true) {
    while (const auto next = interludes_.Take()) {
      Answer(next);
      if (!has_time()) break;
    }
    if (texts_under_way()) StepTexts();
    if (!texts_under_way() && interludes_.empty()) return false;
    if (!has_time()) return true;
  }
}

void Handlers::ForgetBases(const Status& why) {
  if (texts_) texts_->EndAll(why);
  texts_.reset();
  bases_.clear();
}

edit::ProgressFunction Handlers::EditProgress(const Call& call) {
  return [this, &call](const edit::ProgressReport& report) {
    call.progress(report.phase, static_cast<std::uint64_t>(report.done),
                  static_cast<std::uint64_t>(report.total));
    return StillWanted(call);
  };
}

eval::ProgressFunction Handlers::EvalProgress(const Call& call, std::string_view phase) {
  return [this, &call, phase](std::int64_t done, std::int64_t total) {
    call.progress(phase, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    return StillWanted(call);
  };
}

void Handlers::NoteMemory() {
  protocol::MemoryUse memory =
      bases_.empty() ? protocol::MemoryUse() : bases_.begin()->second->memory();
  if (texts_) memory.cache_bytes = texts_->cache_bytes();
  const std::scoped_lock lock(memory_mutex_);
  memory_ = memory;
}

void Handlers::NoteCache() {
  const std::scoped_lock lock(memory_mutex_);
  memory_.cache_bytes = texts_->cache_bytes();
}

protocol::MemoryUse Handlers::memory() const {
  const std::scoped_lock lock(memory_mutex_);
  return memory_;
}

Result<ReplyBody> Handlers::Dispatch(const protocol::RequestBody& request, const Call& call) {
  Result<ReplyBody> reply = std::visit(
      [&](const auto& body) -> Result<ReplyBody> {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, protocol::Complete>) {
          return Internal("a text was asked for as if it were answered at once");
        } else {
          return Run(body, call);
        }
      },
      request);
  // Every token of every text is such a step, and what else is held is as it was.
  if (!std::holds_alternative<protocol::StepTexts>(request)) NoteMemory();
  return reply;
}

Result<LiveBase*> Handlers::Base(const BaseId& id) {
  const auto found = bases_.find(id);
  if (found == bases_.end())
    return Status(StatusCode::kFailedPrecondition, "base_not_loaded",
                  "base " + id.Short() + " is not loaded: load it first");
  return found->second.get();
}

Result<ReplyBody> Handlers::Run(const protocol::LoadBase& request, const Call&) {
  const Stopwatch watch;
  protocol::LoadBaseReply reply;
  if (!bases_.contains(request.base)) {
    // One base at a time: a second model beside the first would double the memory without anybody
    // having asked for it.
    ForgetBases({StatusCode::kFailedPrecondition, "base_not_loaded",
                 "another base took the place of base " + request.base.Short()});
    EMEND_ASSIGN_OR_RETURN(auto loaded, LiveBase::Load(request, options_, group_.communicator()));
    reply.bytes_read = loaded->memory().file_bytes_read;
    texts_ = std::make_unique<Texts>(*loaded);
    bases_.emplace(request.base, std::move(loaded));
    KeepPublished();
    LogInfo("base_loaded", {{"base", request.base.Short()},
                            {"rank", group_.communicator().rank()},
                            {"ranks", group_.size()},
                            {"bytes_read", reply.bytes_read}});
  }
  const model::Transformer& model = bases_[request.base]->base_model();
  reply.seconds = watch.Seconds();
  reply.family = model.config().family;
  reply.layers = static_cast<std::int32_t>(model.config().layers);
  reply.intermediate = static_cast<std::int32_t>(model.config().intermediate);
  reply.context = static_cast<std::int32_t>(model.config().context);
  for (std::int32_t layer = 0; layer < reply.layers; ++layer)
    reply.down_tensors[layer] = model.Down(LayerIndex(layer)).tensor;
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::EnsureState& request, const Call&) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(std::vector<EditId> missing, base->Ensure(request.state, request.edits));
  return ReplyBody(protocol::EnsureStateReply{std::move(missing)});
}

Result<ReplyBody> Handlers::Run(const protocol::PutEdits& request, const Call&) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  for (const auto& [id, payload] : request.edits)
    EMEND_RETURN_IF_ERROR(base->edits().Put(id, payload));
  return ReplyBody(protocol::PutEditsReply{});
}

Result<ReplyBody> Handlers::Run(const protocol::ComputeStatistics& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  const Stopwatch watch;
  // The file's name says what is in it, so a file that is whole need not be made again.
  Result<edit::Statistics> statistics =
      edit::LoadStatistics(request.file, base->id().Hex(), group_.communicator());
  if (!statistics.ok()) {
    edit::StatisticsOptions options;
    for (const std::int32_t layer : request.layers) options.layers.emplace_back(layer);
    options.tokens_max = static_cast<std::int64_t>(request.tokens_max);
    options.progress = EditProgress(call);
    statistics =
        edit::ComputeStatistics(base->base_model(), base->tokenizer(), request.lines, options);
    EMEND_RETURN_IF_ERROR(statistics.status());
    EMEND_RETURN_IF_ERROR(
        edit::SaveStatistics(*statistics, base->id().Hex(), request.file, group_.communicator()));
  }
  protocol::ComputeStatisticsReply reply;
  for (const auto& [layer, holder] : statistics->holders) reply.layers.push_back(layer.value());
  reply.tokens = static_cast<std::uint64_t>(statistics->tokens);
  reply.seconds = watch.Seconds();
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::Solve& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  EMEND_ASSIGN_OR_RETURN(LiveBase::ParentTensors parent,
                         base->ParentOf(*state, request.settings.layers));
  EMEND_ASSIGN_OR_RETURN(edit::Solver* const solver,
                         base->SolverOf(request.settings.method, request.statistics_file));
  const std::vector<edit::EditFact> facts = FactsOf(request.facts);
  edit::QuantisingCommitter committer(std::move(parent.tensors));
  edit::BatchInput input{.model = base->ModelOf(*state),
                         .tokenizer = base->tokenizer(),
                         .facts = facts,
                         .settings = request.settings,
                         .solver = *solver,
                         .committer = committer};
  EMEND_ASSIGN_OR_RETURN(input.targets, GivenTargets(request.targets, facts.size(),
                                                     base->base_model().config().hidden));
  input.progress = EditProgress(call);
  EMEND_ASSIGN_OR_RETURN(const edit::BatchSolution solution, edit::SolveBatch(input));
  return ReplyBody(ReplyOf(solution));
}

Result<ReplyBody> Handlers::Run(const protocol::OptimiseTargets& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  const Stopwatch watch;
  const std::vector<edit::EditFact> facts = FactsOf(request.facts);
  EMEND_ASSIGN_OR_RETURN(const edit::Targets found,
                         edit::FindTargets({.model = base->ModelOf(*state),
                                            .tokenizer = base->tokenizer(),
                                            .facts = facts,
                                            .settings = request.settings,
                                            .progress = EditProgress(call)}));
  return ReplyBody(protocol::OptimiseTargetsReply{TargetsOf(found), watch.Seconds()});
}

Result<ReplyBody> Handlers::Run(const protocol::Evaluate& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  const Stopwatch watch;
  std::vector<eval::EvalFact> facts;
  for (const protocol::EvaluateFact& fact : request.facts) {
    facts.push_back({WithSubject(fact.prompt, fact.subject), fact.paraphrases, fact.neighbours,
                     fact.target, fact.old_target});
  }
  eval::ScoreOptions options;
  options.progress = EvalProgress(call, "evaluate");
  EMEND_ASSIGN_OR_RETURN(
      const eval::EvalReport report,
      eval::EvaluateFacts(base->ModelOf(*state), base->tokenizer(), facts, options));
  protocol::EvaluateReply reply;
  reply.records = static_cast<std::uint64_t>(report.n);
  reply.es = report.es;
  reply.ps = report.ps;
  reply.ns = report.ns;
  reply.score = report.score;
  reply.es_argmax = report.es_argmax;
  reply.ps_argmax = report.ps_argmax;
  reply.ns_argmax = report.ns_argmax;
  reply.seconds = watch.Seconds();
  return ReplyBody(reply);
}

Result<ReplyBody> Handlers::Run(const protocol::Generate& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  eval::GenerateOptions options;
  options.max_tokens = request.tokens_max;
  options.top = request.top;
  options.progress = EvalProgress(call, "generate");
  EMEND_ASSIGN_OR_RETURN(
      const eval::Generation generation,
      eval::Generate(base->ModelOf(*state), base->tokenizer(), request.prompt, options));
  protocol::GenerateReply reply{
      generation.text, static_cast<std::int32_t>(generation.tokens.size()), {}};
  for (const eval::TopToken& token : generation.top)
    reply.top.push_back({token.text, token.probability});
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::SampleTexts& request, const Call& call) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  eval::SampleOptions options;
  options.count = request.count;
  options.max_tokens = request.tokens_max;
  options.top_k = request.top_k;
  options.seed = request.seed;
  options.progress = EvalProgress(call, "sample");
  protocol::SampleTextsReply reply;
  for (const std::string& prefix : request.prefixes) {
    EMEND_ASSIGN_OR_RETURN(
        const eval::SampledTexts sampled,
        eval::SampleTexts(base->base_model(), base->tokenizer(), prefix, options));
    reply.texts.insert(reply.texts.end(), sampled.texts.begin(), sampled.texts.end());
    reply.tokens += static_cast<std::uint64_t>(sampled.tokens);
    ++options.seed;
  }
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::DigestState& request, const Call&) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  EMEND_ASSIGN_OR_RETURN(auto roots, base->Digests(*state));
  return ReplyBody(protocol::DigestStateReply{std::move(roots)});
}

Result<ReplyBody> Handlers::Run(const protocol::DigestTiles& request, const Call&) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, Base(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  EMEND_ASSIGN_OR_RETURN(const auto leaves, base->Tiles(request.tensor, *state));
  protocol::DigestTilesReply reply;
  for (const auto& of_rank : leaves) {
    auto& tiles = reply.tiles.emplace_back();
    for (const storage::delta::TileLeaf& leaf : of_rank) tiles.emplace(leaf.index, leaf.digest);
  }
  return ReplyBody(std::move(reply));
}

Result<ReplyBody> Handlers::Run(const protocol::ForgetBase& request, const Call&) {
  LogWarning("base_forgotten", {{"base", request.base.Short()},
                                {"rank", group_.communicator().rank()},
                                {"why", request.why}});
  if (bases_.contains(request.base))
    ForgetBases({StatusCode::kFailedPrecondition, "base_not_loaded",
                 "base " + request.base.Short() + " is read anew"});
  return ReplyBody(protocol::ForgetBaseReply{});
}

}  // namespace emend::worker::server
