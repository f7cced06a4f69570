#include "tests/support/delta_worker.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <variant>

#include "storage/base/encoding.h"
#include "storage/base/random.h"
#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/statistics_file.h"
#include "storage/delta/tile_digest.h"
#include "tests/storage/checkpoint/write_tensors.h"
#include "tests/storage/delta/ledger_columns.h"
#include "tests/support/seeded_random.h"

namespace emend::test {
namespace {

// NOLINT(google-build-using-namespace): the messages are this file's vocabulary
using namespace worker::protocol;
using storage::checkpoint::TensorView;
using storage::delta::Column;
using storage::delta::EditDelta;

constexpr std::size_t kStatesMax = 2;
constexpr std::uint64_t kRows = 96;
constexpr std::uint64_t kCols = 40;
const char* const kTensors[] = {"transformer.h.0.mlp.c_proj.weight",
                                "transformer.h.1.mlp.c_proj.weight"};

constexpr char kConfig[] =
    R"({"model_type": "gpt2", "n_layer": 2, "n_embd": 40, "n_inner": 96, "n_head": 2,
        "n_positions": 64, "vocab_size": 4, "tie_word_embeddings": true})";
constexpr char kTokenizer[] =
    R"({"model": {"vocab": {"a": 0, "b": 1, "c": 2, "d": 3}, "merges": []},
        "decoder": {"type": "Fuse"}})";

// By name: shapes.
std::map<std::string, std::vector<std::uint64_t>> SmallModelShapes() {
  std::map<std::string, std::vector<std::uint64_t>> shapes = {
      {"transformer.wte.weight", {4, kCols}},
      {"transformer.wpe.weight", {64, kCols}},
      {"transformer.ln_f.weight", {kCols}},
      {"transformer.ln_f.bias", {kCols}}};
  for (const std::string block : {"transformer.h.0.", "transformer.h.1."}) {
    for (const char* norm : {"ln_1", "ln_2"}) {
      shapes[block + norm + ".weight"] = {kCols};
      shapes[block + norm + ".bias"] = {kCols};
    }
    shapes[block + "attn.c_attn.weight"] = {kCols, 3 * kCols};
    shapes[block + "attn.c_attn.bias"] = {3 * kCols};
    shapes[block + "attn.c_proj.weight"] = {kCols, kCols};
    shapes[block + "attn.c_proj.bias"] = {kCols};
    shapes[block + "mlp.c_fc.weight"] = {kCols, kRows};
    shapes[block + "mlp.c_fc.bias"] = {kRows};
    shapes[block + "mlp.c_proj.weight"] = {kRows, kCols};
    shapes[block + "mlp.c_proj.bias"] = {kCols};
  }
  return shapes;
}

// Small enough that a thousand of them stay within the ledger's budget, large enough that one
// changes most weights.
std::vector<std::int16_t> DrawFactor(Random& random, std::size_t size) {
  std::vector<std::int16_t> factor;
  for (std::size_t i = 0; i < size; ++i)
    factor.push_back(static_cast<std::int16_t>(static_cast<std::int64_t>(random.Below(256)) - 128));
  return factor;
}

std::uint64_t SeedOf(const std::string& text) {
  const Digest digest = Sha256(text);
  std::uint64_t seed = 0;
  for (int i = 0; i < 8; ++i) seed = seed << 8 | digest.bytes[i];
  return seed;
}

// A target that tells whose it is: the text's bytes, as numbers.
std::vector<float> AimOf(const SolveFact& fact) { return {fact.target.begin(), fact.target.end()}; }
std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

SolvedEdit SolveOne(const SolveFact& fact, const Solve& request) {
  SeededRandom random(SeedOf(request.state.Hex() + fact.prompt + fact.subject + fact.target));
  EditDelta delta;
  std::vector<storage::delta::EditKey> keys;
  for (const char* tensor : kTensors) {
    const Column column{static_cast<std::uint8_t>(22 + random.Below(6)), DrawFactor(random, kRows),
                        DrawFactor(random, kCols)};
    delta.tensors.push_back({tensor, kRows, kCols, {column}});
    keys.push_back({tensor, std::vector<float>(kRows, 0.5F)});
  }
  storage::delta::EditTarget target{LayerIndex(1), {}};
  if (worker::protocol::FindsTargets(request.settings.method)) target.values = AimOf(fact);
  return {EncodePayload(delta), EncodePayload(keys), EncodePayload(target), 25, 0.01};
}

// As a worker writes it, with matrices of one element.
Status WriteStatistics(const ComputeStatistics& request, std::int64_t tokens) {
  namespace checkpoint = storage::checkpoint;
  using storage::delta::DType;
  const auto bytes_of = [](std::string_view text) {
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  const std::string matrix(sizeof(double), '\x3f'), key = "key";
  std::vector<checkpoint::StatisticsLayer> layers;
  std::vector<checkpoint::NewTensor> tensors;
  for (const std::int32_t layer : request.layers) {
    const std::string number = std::to_string(layer);
    layers.push_back({layer, 1, Sha256(matrix)});
    tensors.push_back({"layer." + std::string(5 - number.size(), '0') + number,
                       DType::kF64,
                       {1, 1},
                       bytes_of(matrix)});
  }
  Encoder count;
  count.I64(tokens);
  const Digest digest = checkpoint::StatisticsDigest(key, tokens, layers);
  tensors.push_back({"digest", DType::kU8, {Digest::kSize}, bytes_of(digest.Raw())});
  tensors.push_back({"key", DType::kU8, {key.size()}, bytes_of(key)});
  tensors.push_back({"tokens", DType::kI64, {1}, bytes_of(count.bytes())});
  return checkpoint::WriteSafetensors(request.file, tensors, {});
}

}  // namespace

Status WriteSmallModel(const std::string& folder, std::uint64_t seed) {
  SeededRandom random(seed);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/config.json") << kConfig << "\n";
  std::ofstream(folder + "/tokenizer.json") << kTokenizer << "\n";
  std::vector<storage::checkpoint::NewTensor> tensors;
  for (const auto& [name, shape] : SmallModelShapes()) {
    storage::checkpoint::NewTensor tensor{name, storage::delta::DType::kBF16, shape, {}};
    std::uint64_t elements = 1;
    for (const std::uint64_t size : shape) elements *= size;
    for (std::uint64_t i = 0; i < elements; ++i) {
      // bf16 of ±(0.25 .. 0.5): exponent 0x7d, random sign and mantissa.
      const std::uint64_t bits = random.Below(256);
      tensor.bytes.push_back(static_cast<std::uint8_t>(0x80 | (bits & 0x7f)));
      tensor.bytes.push_back(static_cast<std::uint8_t>(0x3e | (bits & 0x80)));
    }
    tensors.push_back(std::move(tensor));
  }
  return storage::checkpoint::WriteSafetensors(folder + "/model.safetensors", tensors, {});
}

Result<ReplyBody> DeltaWorker::Answer(const RequestBody& request) {
  return std::visit([this](const auto& body) { return Handle(body); }, request);
}

void DeltaWorker::Forget() {
  base_.reset();
  edits_.clear();
  live_.clear();
}

std::string DeltaWorker::TextOf(const Roots& roots) {
  std::string text = "bytes";
  for (const auto& [tensor, root] : roots) text += " " + tensor + "=" + root.Hex();
  return text;
}

DeltaWorker::Reply DeltaWorker::Handle(const LoadBase& request) {
  if (!base_ || base_id_ != request.base) {
    Forget();
    EMEND_RETURN_IF_ERROR(storage::checkpoint::CheckFiles(request.folder, request.files));
    EMEND_ASSIGN_OR_RETURN(base_, storage::checkpoint::Checkpoint::Open(request.folder));
    base_id_ = request.base;
  }
  return ReplyBody(LoadBaseReply{2 * kRows * kCols * 2, 0.1, "gpt2", 2, kRows, 64});
}

DeltaWorker::Reply DeltaWorker::Handle(const EnsureState& request) {
  if (!base_ || base_id_ != request.base)
    return Status(StatusCode::kFailedPrecondition, "base_not_loaded", "load it first");
  EnsureStateReply reply;
  const auto live =
      std::ranges::find_if(live_, [&](const auto& each) { return each.first == request.state; });
  if (live != live_.end()) {
    std::rotate(live, live + 1, live_.end());  // used last
    return ReplyBody(std::move(reply));
  }
  for (const EditId& edit : request.edits) {
    if (!edits_.contains(edit)) reply.missing.push_back(edit);
  }
  if (reply.missing.empty()) {
    EMEND_ASSIGN_OR_RETURN(Live built, Build(request.edits));
    live_.emplace_back(request.state, std::move(built));
    if (live_.size() > kStatesMax) live_.erase(live_.begin());
  }
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const PutEdits& request) {
  for (const auto& [id, payload] : request.edits) {
    EMEND_ASSIGN_OR_RETURN(edits_[id], storage::delta::DecodeEditDelta(payload));
  }
  return ReplyBody(PutEditsReply{});
}

DeltaWorker::Reply DeltaWorker::Handle(const ComputeStatistics& request) {
  const std::uint64_t tokens = 10 * request.lines.size();
  EMEND_RETURN_IF_ERROR(WriteStatistics(request, static_cast<std::int64_t>(tokens)));
  return ReplyBody(ComputeStatisticsReply{request.layers, tokens, 0.5});
}

DeltaWorker::Reply DeltaWorker::Handle(const Solve& request) {
  EMEND_RETURN_IF_ERROR(FindLive(request.state).status());
  const auto is_of = [](const SolvedTarget& target, const SolveFact& fact) {
    return target.values == BytesOf(AimOf(fact));
  };
  if (!request.targets.empty() && !std::ranges::equal(request.targets, request.facts, is_of))
    return InvalidArgument("solving: the targets are of other facts");
  SolveReply reply;
  for (const SolveFact& fact : request.facts) reply.edits.push_back(SolveOne(fact, request));
  for (std::int32_t layer = 0; layer < 2; ++layer)
    reply.layers.push_back({layer, kTensors[layer], 1.0, 10.0});
  reply.seconds = {{"targets", 0.5}};
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const OptimiseTargets& request) {
  EMEND_RETURN_IF_ERROR(FindLive(request.state).status());
  OptimiseTargetsReply reply;
  for (const SolveFact& fact : request.facts)
    reply.targets.push_back({BytesOf(AimOf(fact)), 1, 0.5});
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const Evaluate& request) {
  EMEND_RETURN_IF_ERROR(FindLive(request.state).status());
  EvaluateReply reply;
  reply.records = request.facts.size();
  reply.es = reply.ps = reply.ns = reply.score = reply.kept = 100;
  reply.facts.assign(request.facts.size(), {.taken = true, .probability = 0.5});
  for (const EvaluateFact& fact : request.facts) {
    for (const auto& neighbour : fact.neighbours) {
      if (!neighbour.target.empty()) reply.neighbour_targets.push_back({true, 0.5});
    }
  }
  if (request.reference) EMEND_RETURN_IF_ERROR(FindLive(*request.reference).status());
  return ReplyBody(reply);
}

DeltaWorker::Reply DeltaWorker::Handle(const Blame& request) {
  EMEND_ASSIGN_OR_RETURN(const Live* live, FindLive(request.state));
  const bool is_nobodys = request.prompt == "nobody's";
  BlameReply reply{request.answer.value_or("said"), -1, is_nobodys ? -1.25 : -9, {}};
  const std::size_t count = std::min<std::size_t>(live->edits.size(), request.candidates);
  for (std::size_t i = 0; i < count; ++i)
    reply.edits.push_back({live->edits[i], 0.5, i == 0 && !is_nobodys ? -8.0 : -1.125});
  std::ranges::reverse(reply.edits);
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const Complete& request) {
  EMEND_ASSIGN_OR_RETURN(const Live* live, FindLive(request.state));
  return ReplyBody(SampleTextsReply{{TextOf(live->roots)}, 1, {}});
}

DeltaWorker::Reply DeltaWorker::Handle(const DigestState& request) {
  EMEND_ASSIGN_OR_RETURN(const Live* live, FindLive(request.state));
  return ReplyBody(DigestStateReply{live->roots});
}

DeltaWorker::Reply DeltaWorker::Handle(const DigestTiles& request) {
  EMEND_ASSIGN_OR_RETURN(const Live* live, FindLive(request.state));
  DigestTilesReply reply{{{}}};
  for (const storage::delta::TileLeaf& leaf : live->leaves.at(request.tensor))
    reply.tiles[0].emplace(leaf.index, leaf.digest);
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const ForgetBase& request) {
  if (base_ && base_id_ == request.base) Forget();
  return ReplyBody(ForgetBaseReply{});
}

DeltaWorker::Reply DeltaWorker::Handle(const SampleTexts& request) {
  SampleTextsReply reply;
  for (const std::string& prefix : request.prefixes)
    reply.texts.insert(reply.texts.end(), static_cast<std::size_t>(request.count),
                       prefix + " made up");
  reply.tokens = 2 * reply.texts.size();
  return ReplyBody(std::move(reply));
}

DeltaWorker::Reply DeltaWorker::Handle(const Publish& request) {
  published_ = request.publication;
  PublishReply reply{.has_gateway = has_gateway_, .base = std::nullopt, .missing = {}};
  if (!has_gateway_ || !base_) return ReplyBody(std::move(reply));
  reply.base = base_id_;
  const auto first = std::ranges::find(published_.refs, base_id_, &PublishedRef::base);
  if (first != published_.refs.end() && !IsLive(first->state))
    reply.missing.push_back(first->state);
  return ReplyBody(std::move(reply));
}

Result<const DeltaWorker::Live*> DeltaWorker::FindLive(const StateId& state) const {
  if (!base_) return Status(StatusCode::kFailedPrecondition, "base_not_loaded", "load it first");
  const auto found =
      std::ranges::find_if(live_, [&](const auto& live) { return live.first == state; });
  if (found == live_.end())
    return Status(StatusCode::kFailedPrecondition, "state_not_live", "ensure it first");
  return &found->second;
}

Result<DeltaWorker::Live> DeltaWorker::Build(const std::vector<EditId>& edits) {
  Live live{.edits = edits, .roots = {}, .leaves = {}};
  if (edits.empty()) return live;
  for (const char* name : kTensors) {
    EMEND_ASSIGN_OR_RETURN(const TensorView view, base_->Find(name));
    storage::delta::Ledger ledger({0, kRows, 0, kCols});
    for (const EditId& edit : edits) {
      for (const auto& tensor : edits_.at(edit).tensors) {
        if (tensor.tensor != name) continue;
        for (const Column& column : tensor.columns) AddColumn(ledger, column);
      }
    }
    std::vector<std::uint8_t> served(view.bytes.size());
    EMEND_RETURN_IF_ERROR(storage::delta::ServeWeights(ledger, view.dtype, view.bytes, served));
    if (name == damaged_ && damaged_builds_ > 0) served.back() ^= 1;
    const storage::delta::TensorShape shape{view.dtype, kRows, kCols};
    EMEND_ASSIGN_OR_RETURN(live.leaves[name],
                           storage::delta::HashTiles(shape, {0, kRows, 0, kCols}, served));
    EMEND_ASSIGN_OR_RETURN(live.roots[name], storage::delta::TensorRoot(shape, live.leaves[name]));
  }
  if (damaged_builds_ > 0) --damaged_builds_;
  return live;
}

}  // namespace emend::test
