// Work on facts: covariances, targets, solves, scores.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/text/slot.h"
#include "worker/collective/exchange.h"
#include "worker/edit/solve_batch.h"
#include "worker/edit/statistics.h"
#include "worker/eval/answers.h"
#include "worker/eval/counterfact.h"
#include "worker/eval/drift.h"
#include "worker/server/past_keys.h"
#include "worker/server/questions.h"
#include "worker/server/reports.h"
#include "worker/server/solve_messages.h"
#include "worker/server/stopwatch.h"

namespace emend::worker::server {
namespace {

// neighbours whose answers are compared, of one evaluation
constexpr std::size_t kComparedMax = 100;

std::vector<eval::EvalFact> FactsOf(const protocol::Evaluate& request) {
  std::vector<eval::EvalFact> facts;
  for (const protocol::EvaluateFact& fact : request.facts) {
    facts.push_back({storage::text::FillSlot(fact.prompt, fact.subject), fact.paraphrases,
                     fact.neighbours, fact.target, fact.old_target, fact.join, fact.name});
  }
  return facts;
}

protocol::EvaluateReply ReplyOf(const eval::EvalReport& report) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  protocol::EvaluateReply reply;
  reply.records = static_cast<std::uint64_t>(report.n);
  reply.es = report.es;
  reply.ps = report.ps;
  reply.ns = report.ns;
  reply.score = report.score;
  reply.es_argmax = report.es_argmax;
  reply.ps_argmax = report.ps_argmax;
  reply.ns_argmax = report.ns_argmax;
  for (const eval::FactResult& fact : report.facts) {
    reply.facts.push_back({fact.es_argmax > 0, fact.probability});
    for (const eval::TargetScore& score : fact.neighbour_targets)
      reply.neighbour_targets.push_back({score.argmax, score.probability});
  }
  reply.kept = reply.kl = reply.perplexity = kNone;
  return reply;
}

// The facts' neighbours, each once, evenly thinned out where they are many.
std::vector<std::string_view> NeighboursOf(const std::vector<protocol::EvaluateFact>& facts) {
  std::vector<std::string_view> all;
  std::set<std::string_view> seen;
  for (const protocol::EvaluateFact& fact : facts) {
    for (const auto& [prompt, target] : fact.neighbours) {
      if (seen.insert(prompt).second) all.push_back(prompt);
    }
  }
  if (all.size() <= kComparedMax) return all;
  std::vector<std::string_view> some;
  for (std::size_t i = 0; i < kComparedMax; ++i) some.push_back(all[i * all.size() / kComparedMax]);
  return some;
}

Status MeasureKept(const eval::ModelPair& models, const tokenizer::Tokenizer& tokenizer,
                   const std::vector<protocol::EvaluateFact>& facts,
                   const eval::ScoreOptions& options, protocol::EvaluateReply& reply) {
  std::vector<std::vector<tokenizer::TokenId>> prompts;
  for (const std::string_view neighbour : NeighboursOf(facts)) {
    EMEND_ASSIGN_OR_RETURN(const auto tokens,
                           tokenizer.Encode(neighbour, tokenizer::SpecialTokens::kWithTemplate));
    std::vector<tokenizer::TokenId>& prompt = prompts.emplace_back();
    for (const tokenizer::Token& token : tokens) prompt.push_back(token.id);
  }
  if (prompts.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const eval::KeptAnswers answers,
                         eval::CompareAnswers(models, prompts, options));
  const auto count = static_cast<double>(prompts.size());
  reply.neighbours = prompts.size();
  reply.kept = 100 * static_cast<double>(std::ranges::count(answers.kept, true)) / count;
  reply.kl = std::accumulate(answers.kl.begin(), answers.kl.end(), 0.0) / count;
  return OkStatus();
}

std::vector<protocol::FrozenExperts> FrozenOf(const edit::Statistics& statistics,
                                              const model::Transformer& model) {
  std::vector<protocol::FrozenExperts> layers;
  for (const auto& [layer, passed] : statistics.passed) {
    const auto frozen = std::ranges::count_if(passed, [&](std::int64_t tokens) {
      return edit::IsFrozen(tokens, model.Down(layer).width);
    });
    layers.push_back({layer.value(), passed.size(), static_cast<std::uint64_t>(frozen)});
  }
  return layers;
}

// All ranks take part in a solve or none does.
Status TakePastKeys(const protocol::Solve& request, const LiveBase& base,
                    const edit::Solver& solver, edit::BatchInput& input) {
  auto past =
      ReadPastKeys(request.past_keys_file, base.base_model(), request.settings.layers, solver);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(base.base_model().communicator(), past.status()));
  input.past_keys = std::move(*past);
  return OkStatus();
}

}  // namespace

Result<protocol::ComputeStatisticsReply> Run(const protocol::ComputeStatistics& request,
                                             Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  const Stopwatch watch;
  collective::Communicator& ranks = context.group.communicator();
  // The file's name says what is in it, so a file that is whole need not be made again.
  Result<edit::Statistics> statistics = edit::LoadStatistics(request.file, base->id().Hex(), ranks);
  if (!statistics.ok()) {
    edit::StatisticsOptions options;
    for (const std::int32_t layer : request.layers) options.layers.emplace_back(layer);
    options.tokens_max = static_cast<std::int64_t>(request.tokens_max);
    options.progress = EditProgress(context);
    statistics =
        edit::ComputeStatistics(base->base_model(), base->tokenizer(), request.lines, options);
    EMEND_RETURN_IF_ERROR(statistics.status());
    EMEND_RETURN_IF_ERROR(edit::SaveStatistics(*statistics, base->id().Hex(), request.file, ranks));
  }
  protocol::ComputeStatisticsReply reply;
  for (const auto& [layer, holder] : statistics->holders) reply.layers.push_back(layer.value());
  reply.tokens = static_cast<std::uint64_t>(statistics->tokens);
  reply.lines_cut = static_cast<std::uint64_t>(statistics->lines_cut);
  reply.tokens_cut = static_cast<std::uint64_t>(statistics->tokens_cut);
  reply.frozen = FrozenOf(*statistics, base->base_model());
  reply.seconds = watch.Seconds();
  return reply;
}

Result<protocol::SolveReply> Run(const protocol::Solve& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  // before anything goes by them: they come from a peer
  EMEND_RETURN_IF_ERROR(
      protocol::CheckSettings(request.settings, base->base_model().config().layers));
  EMEND_ASSIGN_OR_RETURN(LiveBase::ParentTensors parent,
                         base->ParentOf(*state, request.settings.layers));
  EMEND_ASSIGN_OR_RETURN(edit::Solver* const solver,
                         base->SolverOf(request.settings.method, request.statistics_file));
  const std::vector<edit::EditFact> facts = FactsOf(request.facts);
  edit::QuantisingCommitter committer(std::move(parent.tensors));
  edit::BatchInput input{.model = base->ModelOf(*state),
                         .original = &base->base_model(),
                         .tokenizer = base->tokenizer(),
                         .facts = facts,
                         .settings = request.settings,
                         .solver = *solver,
                         .committer = committer};
  EMEND_ASSIGN_OR_RETURN(input.targets, GivenTargets(request.targets, facts.size(),
                                                     base->base_model().config().hidden));
  EMEND_RETURN_IF_ERROR(TakePastKeys(request, *base, *solver, input));
  input.progress = EditProgress(context);
  EMEND_ASSIGN_OR_RETURN(const edit::BatchSolution solution, edit::SolveBatch(input));
  return ReplyOf(solution);
}

Result<protocol::OptimiseTargetsReply> Run(const protocol::OptimiseTargets& request,
                                           Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  const Stopwatch watch;
  const std::vector<edit::EditFact> facts = FactsOf(request.facts);
  EMEND_ASSIGN_OR_RETURN(const edit::Targets found,
                         edit::FindTargets({.model = base->ModelOf(*state),
                                            .original = &base->base_model(),
                                            .tokenizer = base->tokenizer(),
                                            .facts = facts,
                                            .settings = request.settings,
                                            .progress = EditProgress(context)}));
  return protocol::OptimiseTargetsReply{TargetsOf(found), watch.Seconds()};
}

Result<protocol::EvaluateReply> Run(const protocol::Evaluate& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  // Both before anything is computed: what is held stays, whoever else comes in between.
  std::shared_ptr<const LiveState> reference;
  if (request.reference) {
    EMEND_ASSIGN_OR_RETURN(reference, base->Find(*request.reference));
  }
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  const Stopwatch watch;
  const model::Transformer& model = base->ModelOf(*state);
  eval::ScoreOptions options;
  options.progress = EvalProgress(context, "evaluate");
  EMEND_ASSIGN_OR_RETURN(const eval::EvalReport report,
                         eval::EvaluateFacts(model, base->tokenizer(), FactsOf(request), options));
  protocol::EvaluateReply reply = ReplyOf(report);
  if (reference) {
    EMEND_RETURN_IF_ERROR(MeasureKept({.before = base->ModelOf(*reference), .after = model},
                                      base->tokenizer(), request.facts, options, reply));
  }
  if (request.drift) {
    EMEND_ASSIGN_OR_RETURN(reply.perplexity,
                           eval::HeldPerplexity(model, base->tokenizer(), options));
  }
  if (request.chat && reference) {
    const eval::ModelPair models{.before = base->ModelOf(*reference), .after = model};
    EMEND_ASSIGN_OR_RETURN(reply.chat, AskInChat(*base, models, request.facts, options));
    if (request.drift) {
      EMEND_ASSIGN_OR_RETURN(reply.questions, AskQuestions(*base, models, options));
    }
  }
  reply.seconds = watch.Seconds();
  return reply;
}

}  // namespace emend::worker::server
