// Jobs on whole models: import, statistics, verify, export, and fsck.
#include <algorithm>

#include "coordinator/core/model_import.h"
#include "coordinator/core/state_builder.h"
#include "coordinator/core/stored_base.h"
#include "coordinator/jobs/job.h"
#include "coordinator/jobs/live_check.h"
#include "coordinator/jobs/results.h"
#include "coordinator/jobs/statistics_table.h"
#include "coordinator/jobs/worker_session.h"
#include "storage/base/encoding.h"
#include "storage/delta/tile_digest.h"

namespace emend::coordinator::jobs {
namespace {

using storage::checkpoint::DigestCheck;
using storage::history::Repository;
using storage::objects::Commit;

constexpr std::size_t kRepoIdBytes = 16;
constexpr std::size_t kOwnerDigits = 16;
// of a down projection: what statistics should be taken over at least
constexpr std::uint64_t kTokensPerInput = 10;
constexpr std::uint64_t kSampledRows = 128;  // texts sampled side by side
constexpr std::uint64_t kSampledRoundsMax = 10'000;

// A revision of a repo, opened: what most jobs begin with.
struct Located {
  Repository repository;
  CommitId id;
  Commit commit;
};

Result<Located> Locate(JobContext& context, const std::string& repo, const std::string& revision) {
  EMEND_ASSIGN_OR_RETURN(Repository repository, Repository::Open(context.store, RepoName(repo)));
  EMEND_ASSIGN_OR_RETURN(const CommitId id, repository.Resolve(revision));
  EMEND_ASSIGN_OR_RETURN(Commit commit, repository.ReadCommit(id));
  return Located{std::move(repository), id, std::move(commit)};
}

std::string StatisticsId(const BaseId& base, const std::vector<std::int32_t>& layers,
                         const core::StatisticsRequest& request) {
  Encoder out(RecordType::kStatistics, 1);
  out.Id(base);
  out.Count(layers.size());
  for (const std::int32_t layer : layers) out.I64(layer);
  out.U64(request.tokens_max);
  out.Count(request.lines.size());
  for (const std::string& line : request.lines) out.Text(line);
  return Sha256(out.bytes()).Hex();
}

std::vector<std::int32_t> DefaultLayers(std::int64_t layer_count) {
  std::vector<std::int32_t> layers;
  for (const LayerIndex layer : worker::protocol::DefaultSettings(layer_count).layers)
    layers.push_back(layer.value());
  return layers;
}

// Compares rebuild, manifest and stored base; what live bytes say is added by the caller.
Result<VerifyResult> VerifyStored(JobContext& context, const Located& located) {
  EMEND_ASSIGN_OR_RETURN(const core::StoredBase base,
                         core::OpenBase(context.layout, located.repository.record()));
  EMEND_ASSIGN_OR_RETURN(const auto manifest,
                         located.repository.objects().ReadManifest(located.commit.state));
  VerifyResult result{
      located.id,
      located.commit.state,
      {},
      storage::checkpoint::CompareFiles(base.checkpoint->folder(), base.recorded.files)};
  auto rebuilt = core::RebuildState(base, located.repository, located.commit.state);
  // Told below, by tensor, where the base is what is damaged.
  if (!rebuilt.ok() && rebuilt.status().slug() != "base_damaged") return rebuilt.status();
  for (const auto& [name, tensor] : base.recorded.tensors) {
    EMEND_ASSIGN_OR_RETURN(const auto view, base.checkpoint->Find(name));
    EMEND_ASSIGN_OR_RETURN(
        const Digest stored,
        storage::delta::HashTensor(storage::delta::Flatten(view.dtype, view.shape), view.bytes));
    DigestCheck check{name, stored, {}};
    if (stored != tensor.root)
      check.fault = "the stored base file holds other bytes than were imported: expected " +
                    tensor.root.Hex();
    if (!rebuilt.ok()) {
      result.tensors.push_back(std::move(check));
      continue;
    }
    if (const auto found = rebuilt->find(name); found != rebuilt->end()) {
      check.digest = found->second.digest;
      const auto listed = manifest.roots.find(name);
      if (listed == manifest.roots.end() || listed->second != check.digest)
        check.fault = "the rebuild differs from the manifest";
    } else if (manifest.roots.contains(name)) {
      check.fault = "the manifest lists this tensor, but no active edit touches it";
    }
    result.tensors.push_back(std::move(check));
  }
  return result;
}

// One of all stores' operations: those of two stores have the same ids.
std::string WorkOwner(const JobInput& input, std::string_view store) {
  const Digest digest = Sha256(input.context->layout.folder + "/" + std::string(store));
  return input.operation.id.value() + "-" + digest.Hex().substr(0, kOwnerDigits);
}

Result<std::vector<std::string>> ExportFiles(JobContext& context, const Located& located,
                                             const storage::checkpoint::ExportTarget& target) {
  // What it writes first is admitted as what it writes in the end is.
  EMEND_ASSIGN_OR_RETURN(const std::string place,
                         storage::checkpoint::ExportWorkPlace(context.file_system, target.folder));
  EMEND_RETURN_IF_ERROR(context.layout.Admit(place).status().WithContext(
      "exporting to \"" + target.folder + "\", which is not there: it would be made in \"" + place +
      "\""));
  EMEND_ASSIGN_OR_RETURN(const core::StoredBase base,
                         core::OpenBase(context.layout, located.repository.record()));
  EMEND_RETURN_IF_ERROR(base.Check());
  EMEND_ASSIGN_OR_RETURN(auto rebuilt,
                         core::RebuildState(base, located.repository, located.commit.state));
  std::vector<storage::checkpoint::Replacement> replacements;
  for (auto& [name, tensor] : rebuilt) replacements.push_back({name, std::move(tensor.bytes)});
  EMEND_RETURN_IF_ERROR(storage::checkpoint::ExportCheckpoint(context.file_system, *base.checkpoint,
                                                              replacements, target));
  return context.file_system.List(target.folder);
}

// Base files and statistics lie beside the database; fsck of the store does not see them.
void CheckFiles(JobContext& context, const Repository& repository,
                storage::history::FsckReport& report) {
  const std::string where = "repo " + repository.record().name.value();
  Result<Located> located = Locate(context, repository.record().name.value(), "main");
  if (!located.ok()) return;
  Result<VerifyResult> verified = VerifyStored(context, *located);
  if (!verified.ok()) report.problems.push_back({where + ", main", verified.status().message()});
  if (verified.ok()) {
    for (const DigestCheck& file : verified->files) {
      if (!file.fault.empty())
        report.problems.push_back({where + ", base file " + file.name, file.fault});
    }
    for (const DigestCheck& tensor : verified->tensors) {
      if (!tensor.fault.empty())
        report.problems.push_back({where + ", tensor " + tensor.name, tensor.fault});
    }
  }
  const auto statistics = ListStatistics(context.store, repository.record().id);
  if (!statistics.ok())
    report.problems.push_back({where + ", statistics", statistics.status().message()});
  if (!statistics.ok()) return;
  for (const StatisticsRecord& record : *statistics) {
    if (!context.file_system.Exists(context.layout.statistics_file(record.id))) {
      report.problems.push_back({where + ", statistics " + record.id.substr(0, 12),
                                 "the file is missing: run `emend stats` again"});
    }
  }
}

Result<storage::history::FsckReport> CheckStore(JobContext& context) {
  EMEND_ASSIGN_OR_RETURN(auto report, storage::history::Fsck(context.store, context.journal));
  EMEND_ASSIGN_OR_RETURN(const auto repos, Repository::List(context.store));
  for (const auto& record : repos) {
    EMEND_ASSIGN_OR_RETURN(const Repository repository,
                           Repository::Open(context.store, record.name));
    CheckFiles(context, repository, report);
  }
  return report;
}

std::uint64_t AdvisedTokens(const WorkerSession& session) {
  return kTokensPerInput * static_cast<std::uint64_t>(session.model().intermediate);
}

// Lines made up by the unedited base, as long as its context, until there are enough tokens:
// `tokens_max`, or ten for each input of a down projection.
Awaitable<Result<std::vector<std::string>>> SampleLines(const Located& located,
                                                        WorkerSession& session,
                                                        const core::StatisticsRequest& request) {
  const auto context = static_cast<std::uint64_t>(session.model().context);
  const std::uint64_t tokens = request.tokens_max > 0 ? request.tokens_max : AdvisedTokens(session);
  std::vector<std::string> lines;
  std::uint64_t drawn = 0;    // tokens
  std::uint64_t sampled = 0;  // texts, empty ones included
  for (std::uint64_t round = 0; drawn < tokens && round < kSampledRoundsMax; ++round) {
    worker::protocol::SampleTexts sample;
    sample.base = located.commit.base;
    sample.prefixes = {""};
    // As many texts as are still missing by the mean length so far.
    const std::uint64_t mean = drawn == 0 ? context : std::max<std::uint64_t>(drawn / sampled, 1);
    const std::uint64_t rows = std::min(kSampledRows, (tokens - drawn + mean - 1) / mean);
    sample.count = static_cast<std::int32_t>(rows);
    sample.tokens_max = session.model().context;
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

}  // namespace

Awaitable<Result<JobOutcome>> RunImport(JobInput input, core::ImportRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_RETURN_IF_ERROR(storage::history::CheckRepoName(input.operation.repo));
  EMEND_CO_ASSIGN_OR_RETURN(
      const core::ImportedModel model,
      co_await Blocking(context.runtime, [&]() -> Result<core::ImportedModel> {
        EMEND_ASSIGN_OR_RETURN(const std::string source, context.layout.Admit(request.model));
        return core::ImportModel(context.file_system, source, context.layout,
                                 WorkOwner(input, "import"));
      }));
  storage::history::RepoRecord record;
  record.name = RepoName(input.operation.repo);
  record.id = storage::objects::RepoId(context.runtime.random().Bytes(kRepoIdBytes));
  record.base = model.id;
  record.base_encoded = EncodeBase(model.base);
  record.model_folder = "models/" + model.id.Hex();
  record.created_ms = context.runtime.clock().WallNow().time_since_epoch().count();
  const std::string message = request.message.empty() ? "Import " + request.model : request.message;
  auto apply = [record, message, warnings = model.warnings, &context](
                   storage::records::Transaction& transaction, std::string& result) -> Status {
    EMEND_ASSIGN_OR_RETURN(const CommitId commit, Repository::Create(transaction, record, message));
    const storage::objects::ObjectStore objects(context.store, record.id);
    storage::kv::WriteBatch unused;
    const StateId empty = IdOf(
        storage::objects::State{record.base, storage::objects::EditSets(objects).Empty(unused)});
    result = ToJson(ImportResult{record.name.value(), commit, empty, record.base, warnings});
    return OkStatus();
  };
  co_return JobOutcome{"{}", std::move(apply)};
}

Awaitable<Result<JobOutcome>> RunStatistics(JobInput input, core::StatisticsRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(const Located located, co_await Blocking(context.runtime, [&] {
                              return Locate(context, input.operation.repo, "main");
                            }));
  const Repository& repository = located.repository;
  WorkerSession session(context, repository, input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(located.commit.state));
  std::vector<std::int32_t> layers =
      request.layers.empty() ? DefaultLayers(session.model().layers) : request.layers;
  std::ranges::sort(layers);
  const bool sampled = request.lines.empty();
  if (sampled) {
    EMEND_CO_ASSIGN_OR_RETURN(request.lines, co_await SampleLines(located, session, request));
  }
  StatisticsRecord record{
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
  worker::protocol::ComputeStatistics compute{located.commit.base, layers, std::move(request.lines),
                                              request.tokens_max,
                                              context.layout.statistics_file(record.id)};
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply,
                            co_await session.Call<worker::protocol::ComputeStatisticsReply>(
                                std::move(compute), kSolveTimeout));
  record.tokens = reply.tokens;
  record.seconds = reply.seconds;
  auto apply = [record, repo = repository.record().id](storage::records::Transaction& transaction,
                                                       std::string&) -> Status {
    PutStatistics(transaction, repo, record);
    return OkStatus();
  };
  StatisticsResult result{record.id,      record.layers,    record.tokens, AdvisedTokens(session),
                          record.seconds, record.sampled_by};
  co_return JobOutcome{ToJson(result), std::move(apply)};
}

Awaitable<Result<JobOutcome>> RunVerify(JobInput input, core::VerifyRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(const Located located, co_await Blocking(context.runtime, [&] {
                              return Locate(context, input.operation.repo, request.revision);
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(VerifyResult result, co_await Blocking(context.runtime, [&] {
                              return VerifyStored(context, located);
                            }));
  WorkerSession session(context, located.repository, input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(located.commit.state));
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto manifest, co_await Blocking(context.runtime, [&] {
        return located.repository.objects().ReadManifest(located.commit.state);
      }));
  // Where what is stored is damaged, there is nothing sound to hold a worker against.
  const bool stored_is_sound = std::ranges::all_of(
      result.tensors, [](const DigestCheck& check) { return check.fault.empty(); });
  if (!stored_is_sound) co_return JobOutcome{ToJson(result), {}};
  EMEND_CO_ASSIGN_OR_RETURN(const LiveFaults faults,
                            co_await CheckLive(&context, &session, &located.repository,
                                               located.commit.state, manifest.roots));
  for (DigestCheck& check : result.tensors) {
    if (const auto found = faults.find(check.name); found != faults.end())
      check.fault = found->second;
  }
  co_return JobOutcome{ToJson(result), {}};
}

Awaitable<Result<JobOutcome>> RunExport(JobInput input, core::ExportRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(const Located located, co_await Blocking(context.runtime, [&] {
                              return Locate(context, input.operation.repo, request.revision);
                            }));
  ExportResult result{located.id, located.commit.state, {}, {}};
  EMEND_CO_ASSIGN_OR_RETURN(result.folder, context.layout.Admit(request.folder));
  EMEND_CO_ASSIGN_OR_RETURN(
      result.files, co_await Blocking(context.runtime, [&] {
        return ExportFiles(
            context, located,
            {result.folder, WorkOwner(input, located.repository.record().id.value())});
      }));
  co_return JobOutcome{ToJson(result), {}};
}

Awaitable<Result<JobOutcome>> RunFsck(JobInput input, core::FsckRequest) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto report, co_await Blocking(context.runtime, [&] { return CheckStore(context); }));
  co_return JobOutcome{ToJson(report), {}};
}

}  // namespace emend::coordinator::jobs
