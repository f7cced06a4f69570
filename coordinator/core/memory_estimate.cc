#include "coordinator/core/memory_estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "storage/base/file_system.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/delta/tile_digest.h"

namespace emend::coordinator::core {
namespace {

using nlohmann::json;
using storage::checkpoint::Checkpoint;
using storage::checkpoint::TensorView;

// Bounds of the worker's own: worker/edit/memit.h, worker/edit/targets.cc,
// worker/eval/completion_engine.h.
constexpr std::uint64_t kActivationBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kBucketTokens = 512;
constexpr std::uint64_t kCacheBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kTexts = 64;

// A fact's prompts: with five texts before them and without, and one for what must not drift; of so
// many tokens up to the subject's last and behind it.
constexpr std::uint64_t kPromptsPerFact = 7;
constexpr std::uint64_t kPrefixTokens = 20;
constexpr std::uint64_t kSuffixTokens = 6;

// What a payload holds besides columns and names (docs/reference/formats-delta.md): of an edit, and
// of each of its tensors.
constexpr std::uint64_t kPayloadHeadBytes = 34;
constexpr std::uint64_t kPayloadTensorBytes = 25;

struct Sizes {
  std::string family;
  std::uint64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0,
                vocabulary = 0, context = 0;
  bool tied_head = false;
};

// config.json's numbers by name; the first failure is kept.
class Config {
 public:
  Config(json object, std::string name) : object_(std::move(object)), name_(std::move(name)) {}

  std::uint64_t Number(const char* key, std::optional<std::uint64_t> fallback = {}) {
    const auto found = object_.find(key);
    if ((found == object_.end() || found->is_null()) && fallback) return *fallback;
    constexpr std::uint64_t kMax = 1U << 31;
    if (found != object_.end() && found->is_number_unsigned() && *found >= 1 && *found < kMax)
      return found->get<std::uint64_t>();
    if (status_.ok())
      status_ = Bad("expected \"" + std::string(key) + "\" to be an integer from 1 to 2147483647");
    return 1;
  }
  bool Flag(const char* key, bool fallback) const {
    return object_.contains(key) && object_[key].is_boolean() ? object_[key].get<bool>() : fallback;
  }
  Status Bad(const std::string& what) const {
    return {StatusCode::kInvalidArgument, "bad_config", "reading " + name_ + ": " + what};
  }
  const Status& status() const { return status_; }

 private:
  const json object_;
  const std::string name_;
  Status status_;
};

// Keys and defaults as in worker/model/gpt2.cc and llama.cc.
Sizes ReadGpt2(Config& config) {
  Sizes sizes{.family = "gpt2",
              .layers = config.Number("n_layer"),
              .hidden = config.Number("n_embd"),
              .heads = config.Number("n_head")};
  sizes.intermediate = config.Number("n_inner", 4 * sizes.hidden);
  sizes.kv_heads = sizes.heads;
  sizes.head_dim = sizes.hidden / sizes.heads;
  sizes.vocabulary = config.Number("vocab_size");
  sizes.context = config.Number("n_positions");
  sizes.tied_head = config.Flag("tie_word_embeddings", true);
  return sizes;
}

Sizes ReadLlama(Config& config) {
  Sizes sizes{.family = "llama",
              .layers = config.Number("num_hidden_layers"),
              .hidden = config.Number("hidden_size"),
              .intermediate = config.Number("intermediate_size"),
              .heads = config.Number("num_attention_heads")};
  sizes.kv_heads = config.Number("num_key_value_heads", sizes.heads);
  sizes.head_dim =
      config.Number("head_dim", std::max<std::uint64_t>(1, sizes.hidden / sizes.heads));
  sizes.vocabulary = config.Number("vocab_size");
  sizes.context = config.Number("max_position_embeddings");
  sizes.tied_head = config.Flag("tie_word_embeddings", false);
  return sizes;
}

Result<Sizes> ReadSizes(const std::string& folder) {
  const std::string path = folder + "/config.json";
  EMEND_ASSIGN_OR_RETURN(const std::string text, PosixFileSystem().Read(path));
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  Config config(object, path);
  if (!object.is_object()) return config.Bad("expected a JSON object");
  const std::string family = object.contains("model_type") && object["model_type"].is_string()
                                 ? object["model_type"].get<std::string>()
                                 : "";
  if (family != "gpt2" && family != "llama") {
    return Status(StatusCode::kUnsupported, "unknown_family",
                  "unknown model family \"" + family + "\", expected one of gpt2, llama");
  }
  Sizes sizes = family == "gpt2" ? ReadGpt2(config) : ReadLlama(config);
  EMEND_RETURN_IF_ERROR(config.status());
  return sizes;
}

bool CanBeCut(const Sizes& sizes, std::uint64_t ranks) {
  return sizes.heads % ranks == 0 && (sizes.kv_heads % ranks == 0 || ranks % sizes.kv_heads == 0);
}

Status CheckRanks(const Sizes& sizes, std::uint64_t ranks) {
  if (CanBeCut(sizes, ranks)) return OkStatus();
  std::string usable;
  for (std::uint64_t each = 1; each <= sizes.heads; ++each) {
    if (CanBeCut(sizes, each)) usable += (usable.empty() ? "" : ", ") + std::to_string(each);
  }
  return {StatusCode::kUnsupported, "uneven_heads",
          "cutting a model of " + std::to_string(sizes.heads) + " heads and " +
              std::to_string(sizes.kv_heads) + " key/value heads over " + std::to_string(ranks) +
              " ranks: each rank needs whole heads; " + usable + " ranks would do"};
}

// The part of `total` that a rank holds, in whole tiles.
std::uint64_t CutAtTiles(std::uint64_t total, std::uint64_t rank, std::uint64_t ranks) {
  constexpr std::uint64_t kTile = storage::delta::kTileRows;
  const std::uint64_t tiles = (total + kTile - 1) / kTile;
  const auto edge = [&](std::uint64_t index) {
    return std::min(total, kTile * (tiles / ranks * index + std::min(index, tiles % ranks)));
  };
  return edge(rank + 1) - edge(rank);
}

// What of a tensor a rank holds.
enum class Part { kWhole, kHeads, kKvHeads, kIntermediate, kVocabulary, kNothing };
struct PartRule {
  std::string_view name_part;
  Part part;
};
// Biases of projections out of attention and the feed-forward part are every rank's.
constexpr std::array kPartRules = {PartRule{".attn.bias", Part::kNothing},
                                   PartRule{".attn.masked_bias", Part::kNothing},
                                   PartRule{".rotary_emb.inv_freq", Part::kNothing},
                                   PartRule{"wte.weight", Part::kVocabulary},
                                   PartRule{"embed_tokens.weight", Part::kVocabulary},
                                   PartRule{"lm_head.weight", Part::kVocabulary},
                                   PartRule{"attn.c_attn.", Part::kHeads},
                                   PartRule{"attn.c_proj.weight", Part::kHeads},
                                   PartRule{"self_attn.q_proj.", Part::kHeads},
                                   PartRule{"self_attn.o_proj.weight", Part::kHeads},
                                   PartRule{"self_attn.k_proj.", Part::kKvHeads},
                                   PartRule{"self_attn.v_proj.", Part::kKvHeads},
                                   PartRule{"mlp.c_fc.", Part::kIntermediate},
                                   PartRule{"mlp.c_proj.weight", Part::kIntermediate},
                                   PartRule{"mlp.gate_proj.", Part::kIntermediate},
                                   PartRule{"mlp.up_proj.", Part::kIntermediate},
                                   PartRule{"mlp.down_proj.weight", Part::kIntermediate}};

Part PartOf(const Sizes& sizes, const std::string& name) {
  if (sizes.tied_head && name == "lm_head.weight") return Part::kNothing;
  const auto rule = std::ranges::find_if(kPartRules, [&](const PartRule& each) {
    return name.find(each.name_part) != std::string::npos;
  });
  return rule == kPartRules.end() ? Part::kWhole : rule->part;
}

std::uint64_t ElementsOf(const TensorView& view) {
  return view.bytes.size() / storage::delta::ElementBytes(view.dtype);
}

// Sizes of one rank's part.
struct Shard {
  std::uint64_t rank = 0, heads = 0, kv_heads = 0, intermediate = 0, vocabulary = 0;

  std::uint64_t Elements(const Sizes& sizes, const TensorView& view) const {
    const std::uint64_t elements = ElementsOf(view);
    switch (PartOf(sizes, view.name)) {
      case Part::kWhole: return elements;
      case Part::kHeads: return elements / sizes.heads * heads;
      case Part::kKvHeads: return elements / sizes.kv_heads * kv_heads;
      case Part::kIntermediate: return elements / sizes.intermediate * intermediate;
      case Part::kVocabulary: return elements / sizes.vocabulary * vocabulary;
      case Part::kNothing: return 0;
    }
    return 0;
  }
};

Shard CutFor(const Sizes& sizes, std::uint64_t rank, std::uint64_t ranks) {
  return {.rank = rank,
          .heads = sizes.heads / ranks,
          .kv_heads = std::max<std::uint64_t>(1, sizes.kv_heads / ranks),
          .intermediate = CutAtTiles(sizes.intermediate, rank, ranks),
          .vocabulary = CutAtTiles(sizes.vocabulary, rank, ranks)};
}

// Those that commits edit if none is named (worker/protocol/memit_settings.cc).
std::vector<std::int32_t> DefaultLayers(std::uint64_t depth) {
  auto last = static_cast<std::int32_t>(std::lround(0.27 * static_cast<double>(depth)));
  if (depth == 28 || depth == 32) last = 8;
  if (depth == 48) last = 17;
  std::vector<std::int32_t> layers;
  for (std::int32_t layer = std::max(0, last - 4); layer <= last; ++layer) layers.push_back(layer);
  return layers;
}

// The down projections of the edited layers.
Result<std::vector<TensorView>> EditedTensors(const Checkpoint& checkpoint,
                                              const std::vector<std::int32_t>& layers) {
  std::vector<TensorView> edited;
  for (const std::int32_t layer : layers) {
    const std::string number = "." + std::to_string(layer) + ".mlp.";
    const auto found = std::ranges::find_if(checkpoint.tensors(), [&](const auto& entry) {
      const std::string name = "." + entry.first;
      return name.ends_with(number + "c_proj.weight") ||
             name.ends_with(number + "down_proj.weight");
    });
    if (found == checkpoint.tensors().end()) {
      return InvalidArgument("predicting the memory of \"" + checkpoint.folder() +
                             "\": it has no layer " + std::to_string(layer) + " to edit");
    }
    edited.push_back(found->second);
  }
  return edited;
}

std::uint64_t StatesBytes(const Sizes& sizes, const Shard& shard,
                          const std::vector<TensorView>& edited, const MemoryQuestion& question) {
  std::uint64_t bytes = question.edits * kPayloadHeadBytes;
  for (const TensorView& view : edited) {
    const std::uint64_t elements = shard.Elements(sizes, view),
                        element = storage::delta::ElementBytes(view.dtype);
    bytes += question.states * elements * (element + sizeof(float));
    // A part that does not lie in one piece in the file is copied from it.
    const bool is_cut_by_columns =
        view.shape.back() == sizes.intermediate && shard.intermediate < sizes.intermediate;
    if (is_cut_by_columns) bytes += elements * element;
    // An edit's columns are every rank's, whole.
    bytes += question.edits * (kPayloadTensorBytes + view.name.size() +
                               sizeof(std::int16_t) * (sizes.intermediate + sizes.hidden));
  }
  return bytes;
}

std::uint64_t ActivationsBytes(const Sizes& sizes, const Shard& shard,
                               const MemoryQuestion& question, std::int32_t last_layer) {
  const std::uint64_t above = sizes.layers - 1 - static_cast<std::uint64_t>(last_layer);
  const std::uint64_t step =
      sizeof(float) * (above * (3 * shard.intermediate + 14 * sizes.hidden) + 3 * sizes.vocabulary);
  const std::uint64_t parts =
      question.ranks == 1 ? static_cast<std::uint64_t>(question.threads) : 1;
  const std::uint64_t prompt =
      kPrefixTokens * 2 * shard.kv_heads * sizes.head_dim * above + kSuffixTokens * sizes.hidden;
  const std::uint64_t kept =
      question.edits * sizeof(float) * (kPromptsPerFact * prompt + sizes.vocabulary);
  return std::min(kActivationBytesMax, step * kBucketTokens * parts) +
         std::min(kActivationBytesMax, kept);
}

RankMemory EstimateRank(const Sizes& sizes, const Checkpoint& checkpoint,
                        const std::vector<TensorView>& edited, const MemoryQuestion& question,
                        const Shard& shard) {
  RankMemory memory;
  for (const auto& [name, view] : checkpoint.tensors())
    memory.weights_bytes += sizeof(float) * shard.Elements(sizes, view);
  // cosines and sines of the rotations
  if (sizes.family == "llama")
    memory.weights_bytes += sizeof(float) * sizes.context * sizes.head_dim;
  memory.states_bytes = StatesBytes(sizes, shard, edited, question);
  for (std::size_t i = 0; i < edited.size(); ++i) {
    const bool is_dealt_here = i % static_cast<std::size_t>(question.ranks) == shard.rank;
    if (is_dealt_here)
      memory.statistics_bytes += 2 * sizeof(double) * sizes.intermediate * sizes.intermediate;
    memory.ledgers_bytes +=
        (sizeof(std::int64_t) + sizeof(float)) * shard.Elements(sizes, edited[i]);
  }
  // of the layer at hand
  memory.ledgers_bytes += sizeof(std::int64_t) * shard.Elements(sizes, edited[0]);
  memory.activations_bytes = ActivationsBytes(sizes, shard, question, question.layers.back());
  memory.cache_bytes =
      std::min(kCacheBytesMax, kTexts * sizes.context * sizes.layers * 2 * shard.kv_heads *
                                   sizes.head_dim * sizeof(float));
  return memory;
}

}  // namespace

Result<MemoryEstimate> EstimateMemory(const std::string& folder, const MemoryQuestion& question) {
  EMEND_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(folder));
  const auto ranks = static_cast<std::uint64_t>(question.ranks);
  EMEND_RETURN_IF_ERROR(CheckRanks(sizes, ranks));
  EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder));
  MemoryQuestion asked = question;
  if (asked.layers.empty()) asked.layers = DefaultLayers(sizes.layers);
  std::ranges::sort(asked.layers);
  asked.layers.erase(std::unique(asked.layers.begin(), asked.layers.end()), asked.layers.end());
  EMEND_ASSIGN_OR_RETURN(const std::vector<TensorView> edited,
                         EditedTensors(*checkpoint, asked.layers));
  MemoryEstimate estimate{
      .family = sizes.family, .parameters = 0, .layers = asked.layers, .ranks = {}};
  for (const auto& [name, view] : checkpoint->tensors())
    estimate.parameters += PartOf(sizes, name) == Part::kNothing ? 0 : ElementsOf(view);
  for (std::uint64_t rank = 0; rank < ranks; ++rank) {
    estimate.ranks.push_back(
        EstimateRank(sizes, *checkpoint, edited, asked, CutFor(sizes, rank, ranks)));
  }
  return estimate;
}

}  // namespace emend::coordinator::core
