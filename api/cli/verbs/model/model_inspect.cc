#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <thread>

#include "api/cli/files.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "coordinator/core/gguf_import.h"
#include "coordinator/core/loadable_model.h"
#include "coordinator/core/memory_estimate.h"

namespace emend::api::cli::verbs::model_inspect_verb {
namespace {

using coordinator::core::MemoryEstimate;
using coordinator::core::RankMemory;

constexpr int kRanksMax = 1024;

struct Options {
  std::string model;
  int ranks = 1;
  std::vector<std::int32_t> layers;
  std::uint64_t edits = 100;
  std::uint64_t states = 4;
};

// The kinds in the order in which they are shown.
struct Kind {
  const char* name;
  const char* heading;
  std::uint64_t RankMemory::* bytes;
};
constexpr std::array kKinds = {Kind{"weights", "WEIGHTS", &RankMemory::weights_bytes},
                               Kind{"states", "STATES", &RankMemory::states_bytes},
                               Kind{"statistics", "STATISTICS", &RankMemory::statistics_bytes},
                               Kind{"ledgers", "LEDGERS", &RankMemory::ledgers_bytes},
                               Kind{"activations", "ACTIVATIONS", &RankMemory::activations_bytes},
                               Kind{"cache", "CACHE", &RankMemory::cache_bytes}};

std::uint64_t MachineBytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
}

// What the ranks come to.
struct Summary {
  RankMemory largest_rank;
  std::uint64_t together = 0;
  std::uint64_t machine = MachineBytes();
  const char* largest_kind = "";
};

Summary Summarise(const MemoryEstimate& estimate) {
  Summary summary;
  for (const RankMemory& rank : estimate.ranks) {
    summary.together += rank.total_bytes();
    if (rank.total_bytes() > summary.largest_rank.total_bytes()) summary.largest_rank = rank;
  }
  summary.largest_kind = std::ranges::max_element(kKinds, {}, [&](const Kind& kind) {
                           return summary.largest_rank.*kind.bytes;
                         })->name;
  return summary;
}

Json RenderEstimate(const MemoryEstimate& estimate, const Summary& summary) {
  Json ranks = Json::array();
  for (const RankMemory& memory : estimate.ranks) {
    Json& rank = ranks.emplace_back(Json{{"rank", ranks.size()}});
    for (const Kind& kind : kKinds) rank[std::string(kind.name) + "_bytes"] = memory.*kind.bytes;
    rank["total_bytes"] = memory.total_bytes();
  }
  return {{"family", estimate.family},
          {"parameters", estimate.parameters},
          {"layers", estimate.layers},
          {"ranks", std::move(ranks)},
          {"largest_kind", summary.largest_kind},
          {"total_bytes", summary.together},
          {"machine_bytes", summary.machine},
          {"fits", summary.together <= summary.machine}};
}

// Whether this machine's memory is enough for all ranks, and if not, for one of them.
std::string RenderVerdict(const Session& session, const MemoryEstimate& estimate,
                          const Summary& summary) {
  const bool is_alone = estimate.ranks.size() == 1;
  const std::string share = RenderMebibytes(static_cast<double>(summary.together)) + " of " +
                            RenderMebibytes(static_cast<double>(summary.machine));
  const bool fits = summary.together <= summary.machine;
  if (fits)
    return session.terminal().Paint(is_alone ? "it fits" : "together they fit", Colour::kGreen) +
           " this machine: " + share;
  const bool one_fits = !is_alone && summary.largest_rank.total_bytes() <= summary.machine;
  return session.terminal().Paint(is_alone ? "it does not fit" : "together they do not fit",
                                  Colour::kRed) +
         " this machine: " + share + (one_fits ? "; each alone would" : "");
}

void PrintEstimate(const Session& session, const Options& options, const MemoryEstimate& estimate,
                   const Summary& summary) {
  std::string layers;
  for (const std::int32_t layer : estimate.layers)
    layers += (layers.empty() ? "" : " ") + std::to_string(layer);
  session.out() << estimate.family << ", " << estimate.parameters << " parameters; "
                << options.states << " states of " << options.edits << " edits in the layers "
                << layers << "\n";
  std::vector<std::vector<std::string>> rows = {{"RANK"}};
  for (const Kind& kind : kKinds) rows[0].push_back(kind.heading);
  rows[0].push_back("TOGETHER");
  for (const RankMemory& memory : estimate.ranks) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(std::to_string(rows.size() - 2));
    for (const Kind& kind : kKinds)
      row.push_back(RenderMebibytes(static_cast<double>(memory.*kind.bytes)));
    row.push_back(RenderMebibytes(static_cast<double>(memory.total_bytes())));
  }
  session.out() << RenderTable(rows) << "most of a rank's is " << summary.largest_kind << "; "
                << RenderVerdict(session, estimate, summary) << "\n";
}

// A GGUF file as a folder without weights, for as long as what is returned lives; null for a
// folder.
Result<std::unique_ptr<WorkFolder>> DescribeGguf(FileSystem& files, const std::string& path) {
  if (!coordinator::core::IsGguf(path)) return std::unique_ptr<WorkFolder>();
  std::error_code error;
  const std::string parent = std::filesystem::temp_directory_path(error).string();
  if (error) return InvalidArgument("finding a folder for temporary files: " + error.message());
  return coordinator::core::ConvertGguf(files, path,
                                        {.parent = parent,
                                         .owner = "inspect-" + std::to_string(getpid()),
                                         .weights = coordinator::core::GgufWeights::kHole});
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(std::string folder, AbsolutePath(options.model));
  PosixFileSystem files;
  EMEND_ASSIGN_OR_RETURN(const auto described, DescribeGguf(files, folder));
  if (described != nullptr) folder = described->contents();
  EMEND_ASSIGN_OR_RETURN(const auto loadable, coordinator::core::OpenLoadableModel(folder));
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  EMEND_ASSIGN_OR_RETURN(const MemoryEstimate estimate,
                         coordinator::core::EstimateMemory(folder, {.ranks = options.ranks,
                                                                    .layers = options.layers,
                                                                    .edits = options.edits,
                                                                    .states = options.states,
                                                                    .threads = threads}));
  const Summary summary = Summarise(estimate);
  if (session.json()) {
    Json rendered = RenderEstimate(estimate, summary);
    rendered["warnings"] = loadable.warnings;
    session.Print(rendered);
  } else {
    PrintEstimate(session, options, estimate, summary);
    session.Warn(loadable.warnings);
  }
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "MODEL",
                 .help = "a folder with config.json, *.safetensors and tokenizer.json or "
                         "tokenizer.model, or a GGUF file, on this machine",
                 .required = true,
                 .kind = ValueKind::kFile,
                 .into = &options.model});
  arguments.Add({.names = "--ranks",
                 .value = "N",
                 .help = "processes that hold the model together",
                 .range = Range{1, kRanksMax},
                 .into = &options.ranks});
  arguments.Add({.names = "--layers",
                 .value = "LIST",
                 .help = "layers that are edited, counted from 0, such as 3,4; those of commits "
                         "that name none if none is named",
                 .into = &options.layers});
  arguments.Add({.names = "--edits",
                 .value = "N",
                 .help = "active in a state",
                 .range = Range{0, kCountMax},
                 .into = &options.edits});
  arguments.Add({.names = "--states",
                 .value = "N",
                 .help = "live at once besides the base",
                 .range = Range{0, kCountMax},
                 .into = &options.states});
}

}  // namespace

Verb Make() {
  return {.name = "model inspect",
          .group = Group::kModel,
          .summary = "predict the memory of each rank from a model's files; needs no server",
          .examples = "emend model inspect ./llama --ranks 2",
          .document =
              "`{\"family\", \"parameters\", \"layers\", \"ranks\": [{\"rank\", \"weights_bytes\", "
              "\"states_bytes\", \"statistics_bytes\", \"ledgers_bytes\", \"activations_bytes\", "
              "\"cache_bytes\", \"total_bytes\"}], \"largest_kind\", \"total_bytes\", "
              "\"machine_bytes\", \"fits\", \"warnings\"}`: a prediction, without a server "
              "(workers.md); what no worker can "
              "load is refused as by a worker (models.md)",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::model_inspect_verb
