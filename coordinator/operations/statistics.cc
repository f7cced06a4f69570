// statistics: covariances of the keys that edits must leave alone.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/batch.h"
#include "coordinator/operations/measures.h"
#include "storage/base/encoding.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;

// of a down projection: what statistics should be taken over at least
constexpr std::uint64_t kTokensPerInput = 10;
constexpr std::uint64_t kSampledRows = 128;  // texts sampled side by side
// Tokens of each at most: a few long texts take many times as long as many short ones.
constexpr std::uint64_t kSampledTokensMax = 512;
constexpr std::uint64_t kSampledRoundsMax = 10'000;

struct StatisticsFields {
  std::vector<std::string> lines;    // each tokenised alone; empty: the model samples its own
  std::uint64_t tokens_max = 0;      // 0: all lines
  std::vector<std::int32_t> layers;  // empty: the layers that commits edit where nobody says which
  std::uint64_t seed = 0;            // of the sampled lines
};

std::string StatisticsId(const BaseId& base, const std::vector<std::int32_t>& layers,
                         const StatisticsFields& request) {
  Encoder out(RecordType::kStatisticsId, 1);
  out.Id(base);
  out.Count(layers.size());
  for (const std::int32_t layer : layers) out.I64(layer);
  out.U64(request.tokens_max);
  out.Count(request.lines.size());
  for (const std::string& line : request.lines) out.Text(line);
  return Sha256(out.bytes()).Hex();
}

std::uint64_t AdvisedTokens(const WorkerSession& session) {
  return kTokensPerInput * static_cast<std::uint64_t>(session.model().intermediate);
}

// Lines made up by the unedited base, as long as its context allows, until there are enough tokens:
// `tokens_max`, or ten for each input of a down projection.
Awaitable<Result<std::vector<std::string>>> SampleLines(const Located& located,
                                                        WorkerSession& session,
                                                        const StatisticsFields& request) {
  const std::uint64_t length =
      std::min(static_cast<std::uint64_t>(session.model().context), kSampledTokensMax);
  const std::uint64_t tokens = request.tokens_max > 0 ? request.tokens_max : AdvisedTokens(session);
  std::vector<std::string> lines;
  std::uint64_t drawn = 0;    // tokens
  std::uint64_t sampled = 0;  // texts, empty ones included
  for (std::uint64_t round = 0; drawn < tokens && round < kSampledRoundsMax; ++round) {
    worker::protocol::SampleTexts sample;
    sample.base = located.commit.base;
    sample.prefixes = {""};
    // As many texts as are still missing by the mean length so far.
    const std::uint64_t mean = drawn == 0 ? length : std::max<std::uint64_t>(drawn / sampled, 1);
    const std::uint64_t rows = std::min(kSampledRows, (tokens - drawn + mean - 1) / mean);
    sample.count = static_cast<std::int32_t>(rows);
    sample.tokens_max = static_cast<std::int32_t>(length);
    sample.seed = request.seed + round;
    EMEND_CO_ASSIGN_OR_RETURN(auto reply, co_await session.Call<worker::protocol::SampleTextsReply>(
                                              std::move(sample), kSolveTimeout));
    drawn += reply.tokens;
    sampled += static_cast<std::uint64_t>(rows);
    for (std::string& text : reply.texts) {
      if (!text.empty()) lines.push_back(std::move(text));
    }
  }
  if (lines.empty())
    co_return Status(StatusCode::kFailedPrecondition, "nothing_sampled",
                     "the model made up no text: give it a corpus, `--corpus FILE`");
  co_return lines;
}

// Ascending. Blocks: where the request names none, they may be the preset's.
Result<std::vector<std::int32_t>> LayersOf(const StatisticsFields& request,
                                           const Repository& repository, std::int64_t layer_count) {
  std::vector<std::int32_t> layers = request.layers;
  if (layers.empty()) {
    EMEND_ASSIGN_OR_RETURN(const worker::protocol::SolveSettings settings,
                           ResolveWithPreset({}, repository, layer_count));
    layers = LayerNumbers(settings.layers);
  }
  std::ranges::sort(layers);
  return layers;
}

std::string ResultOf(const store::StatisticsRecord& record, std::uint64_t tokens_advised,
                     const worker::protocol::ComputeStatisticsReply& reply) {
  ordered_json json = {{"id", record.id},
                       {"layers", record.layers},
                       {"tokens", record.tokens},
                       {"tokens_advised", tokens_advised},
                       {"seconds", Milliseconds(record.seconds)}};
  if (record.sampled_by) json["sampled_by"] = *record.sampled_by;
  if (reply.lines_cut > 0) {  // longer than the model's context
    json["lines_cut"] = reply.lines_cut;
    json["tokens_cut"] = reply.tokens_cut;
  }
  for (const auto& layer : reply.frozen)
    json["experts"].push_back(
        {{"layer", layer.layer}, {"count", layer.experts}, {"frozen", layer.frozen}});
  return json.dump();
}

class StatisticsRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.BulkTexts("lines", fields_.lines);
    reader.Unsigned("tokens_max", fields_.tokens_max);
    reader.Indices("layers", fields_.layers);
    reader.Unsigned("seed", fields_.seed);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kPrepares,
            .pool = Pool::kWorkers,
            .cost = jobs::kStatisticsCost,
            .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override {
    StatisticsFields request = fields_;
    JobContext& context = *input.context;
    EMEND_CO_ASSIGN_OR_RETURN(const Located located, co_await Blocking(context.runtime, [&] {
                                return Locate(context, input.operation.repo, "main");
                              }));
    const Repository& repository = located.repository;
    WorkerSession session(context, repository, input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await session.Open(located.commit.state));
    EMEND_CO_ASSIGN_OR_RETURN(const std::vector<std::int32_t> layers,
                              co_await Blocking(context.runtime, [&] {
                                return LayersOf(request, repository, session.model().layers);
                              }));
    const bool sampled = request.lines.empty();
    if (sampled) {
      EMEND_CO_ASSIGN_OR_RETURN(request.lines, co_await SampleLines(located, session, request));
    }
    store::StatisticsRecord record{
        .id = StatisticsId(located.commit.base, layers, request),
        .base = located.commit.base,
        .layers = layers,
        .tokens = 0,
        .lines = request.lines.size(),
        .sampled_by = sampled ? std::optional(request.seed) : std::nullopt,
        .seconds = 0,
        .created_ms = context.runtime.clock().WallNow().time_since_epoch().count()};
    EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&] {
      return context.file_system.CreateFolders(context.layout.statistics());
    }));
    worker::protocol::ComputeStatistics compute{located.commit.base, layers,
                                                std::move(request.lines), request.tokens_max,
                                                context.layout.statistics_file(record.id)};
    EMEND_CO_ASSIGN_OR_RETURN(const auto reply,
                              co_await session.Call<worker::protocol::ComputeStatisticsReply>(
                                  std::move(compute), kSolveTimeout));
    record.tokens = reply.tokens;
    record.seconds = reply.seconds;
    auto apply = [record, repo = repository.record().id](storage::records::Transaction& transaction,
                                                         std::string&) -> Status {
      store::PutStatistics(transaction, repo, record);
      return OkStatus();
    };
    co_return JobOutcome{ResultOf(record, AdvisedTokens(session), reply), std::move(apply)};
  }

  StatisticsFields fields_;
};

}  // namespace

extern const OperationKind kStatistics;
const OperationKind kStatistics = {"statistics", "merge", Subject::kRepo,
                                   ReadAs<StatisticsRequest>};

}  // namespace emend::coordinator::operations
