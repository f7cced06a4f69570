// A batch of edits over 1, 2 and 4 ranks, side by side: seconds, bytes between ranks for each edit;
// and what each rank's weights, ledgers and statistics take of a random model of 300 million
// parameters.
//
//   emend_bench_shards edits [edits]
//   emend_bench_shards memory
//
// All ranks share this machine's cores: more of them are not faster here. What the figures say is
// what sharding costs, and what it saves in memory.
#include <ATen/ATen.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "storage/checkpoint/tile_file.h"
#include "tests/bench/counting.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/collective/rank_group.h"
#include "tests/worker/edit/atlas.h"
#include "worker/model/guard.h"

namespace emend::bench {
namespace {

using worker::collective::Communicator;
using worker::edit::Atlas;
using worker::edit::ValueOf;
using worker::model::Transformer;
namespace checkpoint = storage::checkpoint;
namespace delta = storage::delta;

constexpr double kMega = 1e6;

// ---- edits -------------------------------------------------------------------------------------

// The smallest payload that tensor parallelism of this form can send: two sums of the hidden state
// a block and token, there and back again in training. What a rank sends of it at least is 2 (ranks
// − 1) / ranks of the payload (Patarasuk and Yuan 2009).
void SolveOn(Communicator& ranks, std::size_t edit_count) {
  CountingCommunicator counted(ranks);
  const Atlas atlas;
  const auto model = ValueOf(Transformer::Load(*atlas.checkpoint, counted));
  const auto settings = worker::edit::MemitGolden().Settings();
  const auto lines = worker::edit::SelectCorpusLines(
      worker::edit::ReadText("docs/examples/atlas/corpus.txt"), 500);
  const auto statistics = ValueOf(worker::edit::ComputeStatistics(
      *model, *atlas.tokenizer, lines, {.layers = settings.layers, .progress = {}}));
  const std::unique_ptr<worker::edit::Solver> solver = *worker::edit::NewSolver(
      "memit", std::make_shared<const worker::edit::Statistics>(statistics));
  auto tensors = atlas.Tensors(settings.layers);
  for (auto& [layer, parts] : tensors) {  // stored [d_ff, d]: a rank's part lies in one piece
    worker::edit::EditedTensor& tensor = parts[0];
    const auto own = model->Down(layer).own;
    tensor.range.row_begin = static_cast<std::uint64_t>(own.begin);
    tensor.range.row_end = static_cast<std::uint64_t>(own.end());
    const std::size_t row_bytes = tensor.cols * delta::ElementBytes(tensor.dtype);
    tensor.base =
        tensor.base.subspan(tensor.range.row_begin * row_bytes, tensor.range.rows() * row_bytes);
  }
  worker::edit::QuantisingCommitter committer(std::move(tensors));
  const auto facts = atlas.Facts(0, edit_count);
  counted.Reset();
  const auto begin = std::chrono::steady_clock::now();
  const auto solution = ValueOf(worker::edit::SolveBatch({.model = *model,
                                                          .tokenizer = *atlas.tokenizer,
                                                          .facts = facts,
                                                          .settings = settings,
                                                          .solver = *solver,
                                                          .committer = committer}));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (ranks.rank() != 0) return;
  std::printf("%d ranks: %zu edits in %6.2f s (targets %.2f, keys %.2f, solve %.2f, apply %.2f)\n",
              ranks.size(), edit_count, seconds, solution.seconds.targets, solution.seconds.keys,
              solution.seconds.solve, solution.seconds.apply);
  for (const auto& [operation, use] : counted.uses()) {
    std::printf("    %-12s %7ld calls  %9.2f MB an edit\n", operation.c_str(),
                static_cast<long>(use.calls),
                static_cast<double>(use.bytes) / kMega / static_cast<double>(edit_count));
  }
}

// ---- memory ------------------------------------------------------------------------------------

constexpr std::int64_t kLayers = 20, kHidden = 1024, kInner = 4096, kHeads = 16,
                       kVocabulary = 50304, kContext = 1024;
const std::vector<LayerIndex> kEdited = {LayerIndex(4), LayerIndex(5), LayerIndex(6), LayerIndex(7),
                                         LayerIndex(8)};

void WriteRandomModel(const std::string& folder) {
  std::ofstream(folder + "/config.json") << nlohmann::json{
      {"model_type", "gpt2"},    {"n_layer", kLayers},         {"n_embd", kHidden},
      {"n_head", kHeads},        {"n_inner", kInner},          {"vocab_size", kVocabulary},
      {"n_positions", kContext}, {"tie_word_embeddings", true}};
  std::vector<checkpoint::TensorSource> tensors;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    tensors.push_back({name,
                       delta::DType::kBF16,
                       {shape.begin(), shape.end()},
                       [shape]() -> Result<std::vector<std::uint8_t>> {
                         const at::Tensor values =
                             at::randn(shape, at::kFloat).mul_(0.02).to(at::kBFloat16);
                         const auto* bytes =
                             static_cast<const std::uint8_t*>(values.const_data_ptr());
                         return std::vector<std::uint8_t>(bytes, bytes + values.nbytes());
                       }});
  };
  add("wte.weight", {kVocabulary, kHidden});
  add("wpe.weight", {kContext, kHidden});
  const auto add_both = [&](const std::string& name, std::vector<std::int64_t> shape) {
    add(name + ".bias", {shape.back()});
    add(name + ".weight", shape);
  };
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = "h." + std::to_string(layer) + ".";
    add_both(block + "ln_1", {kHidden});
    add_both(block + "attn.c_attn", {kHidden, 3 * kHidden});
    add_both(block + "attn.c_proj", {kHidden, kHidden});
    add_both(block + "ln_2", {kHidden});
    add_both(block + "mlp.c_fc", {kHidden, kInner});
    add_both(block + "mlp.c_proj", {kInner, kHidden});
  }
  add_both("ln_f", {kHidden});
  const Status written = checkpoint::StreamSafetensors(folder + "/model.safetensors", tensors, {});
  EMEND_CHECK(written.ok(), written.ToString());
}

// The tile file "tiles", as an import writes it; the tensors' roots.
std::map<std::string, Digest> WriteTiles(const std::string& folder) {
  const auto file = ValueOf(checkpoint::Checkpoint::Open(folder));
  checkpoint::TileLeaves leaves;
  std::map<std::string, Digest> roots;
  for (const auto& [name, view] : file->tensors()) {
    const delta::TensorShape shape = delta::Flatten(view.dtype, view.shape);
    leaves[name] = ValueOf(delta::HashTiles(shape, {0, shape.rows, 0, shape.cols}, view.bytes));
    roots[name] = ValueOf(delta::TensorRoot(shape, leaves[name]));
  }
  const Status written = checkpoint::WriteTileFile(folder + "/tiles", leaves);
  EMEND_CHECK(written.ok(), written.ToString());
  return roots;
}

void WriteStatistics(const std::string& path) {
  worker::edit::Statistics statistics{.covariance = {}, .tokens = 1};
  for (const LayerIndex layer : kEdited) {
    statistics.covariance[layer] = at::eye(kInner, at::kDouble);
    statistics.holders[layer] = 0;
  }
  const Status saved = worker::edit::SaveStatistics(
      statistics, "random", path, *worker::collective::NewSingleRankCommunicator());
  EMEND_CHECK(saved.ok(), saved.ToString());
}

struct Memory {
  std::int64_t weights = 0, ledgers = 0, statistics = 0;
  std::uint64_t read = 0;
  double load_seconds = 0;
  std::int64_t sum() const { return weights + ledgers + statistics; }
};

Memory MeasureRank(Communicator& ranks, const std::string& folder,
                   const std::map<std::string, Digest>& roots) {
  Memory memory;
  const std::int64_t before = CountingAllocator::LiveBytes();
  const auto file = ValueOf(checkpoint::Checkpoint::Open(folder));
  auto tiles = ValueOf(checkpoint::TileFile::Open(folder + "/tiles", roots));
  memory.read = tiles->file_bytes();
  const Status checked = file->CheckWith(std::move(tiles));
  EMEND_CHECK(checked.ok(), checked.ToString());
  const auto begin = std::chrono::steady_clock::now();
  const auto model = ValueOf(Transformer::Load(*file, ranks));
  memory.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  memory.weights = CountingAllocator::LiveBytes() - before;
  memory.read += model->file_bytes();
  std::vector<delta::Ledger> ledgers;
  const auto own = model->Down(kEdited[0]).own;
  for (std::size_t i = 0; i < kEdited.size(); ++i) {
    ledgers.emplace_back(delta::TensorRange{static_cast<std::uint64_t>(own.begin),
                                            static_cast<std::uint64_t>(own.end()), 0, kHidden});
    memory.ledgers += static_cast<std::int64_t>(ledgers.back().values().size_bytes());
  }
  auto statistics = std::make_shared<worker::edit::Statistics>(
      ValueOf(worker::edit::LoadStatistics(folder + "/statistics.safetensors", "random", ranks)));
  const std::unique_ptr<worker::edit::Solver> solver =
      *worker::edit::NewSolver("memit", statistics);
  worker::protocol::SolveSettings settings;
  settings.mom2_update_weight = 100;
  for (const LayerIndex layer : kEdited) {  // with their factors, as after a first batch
    if (solver->HolderOf(layer) == ranks.rank())
      ValueOf(solver->Solve(
          {.layer = layer, .settings = settings, .keys = at::ones({kInner, 1}, at::kDouble)}));
  }
  memory.statistics = CountingAllocator::LiveBytes() - before - memory.weights;
  return memory;
}

void MeasureMemory() {
  CountingAllocator::Install();
  test::TemporaryFolder folder;
  WriteRandomModel(folder.path());
  const std::map<std::string, Digest> roots = WriteTiles(folder.path());
  WriteStatistics(folder.path() + "/statistics.safetensors");
  std::int64_t single = 0;
  for (const int ranks : {1, 2, 4}) {
    std::vector<Memory> memories(static_cast<std::size_t>(ranks));
    test::OnEachRank(ranks, [&](Communicator& communicator) {
      memories[static_cast<std::size_t>(communicator.rank())] =
          MeasureRank(communicator, folder.path(), roots);
    });
    if (ranks == 1) single = memories[0].sum();
    for (int rank = 0; rank < ranks; ++rank) {
      const Memory& m = memories[static_cast<std::size_t>(rank)];
      std::printf(
          "rank %d of %d: weights %7.1f MB, ledgers %6.1f MB, statistics %7.1f MB, together %7.1f "
          "MB (%5.1f %% of one rank's); read and checked %6.1f MB in "
          "%.1f s\n",
          rank, ranks, static_cast<double>(m.weights) / kMega,
          static_cast<double>(m.ledgers) / kMega, static_cast<double>(m.statistics) / kMega,
          static_cast<double>(m.sum()) / kMega,
          100.0 * static_cast<double>(m.sum()) / static_cast<double>(single),
          static_cast<double>(m.read) / kMega, m.load_seconds);
    }
  }
}

}  // namespace
}  // namespace emend::bench

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 1 && std::strcmp(argv[1], "memory") == 0) {
    emend::bench::MeasureMemory();
    return 0;
  }
  const std::size_t edits = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200;
  for (const int ranks : {1, 2, 4})
    emend::test::OnEachRank(ranks, [&](emend::worker::collective::Communicator& each) {
      emend::bench::SolveOn(each, edits);
    });
  if (argc == 1) emend::bench::MeasureMemory();
  return 0;
}
