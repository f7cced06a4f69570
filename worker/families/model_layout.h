// ModelLayout: the tensors of a model, by name and shape, what each is for, and how it is cut over
// ranks. Data alone: the loader takes the weights by it, and what only asks how large a model is,
// or whether it can be loaded, reads it without them.
//
// A block's optional parts are optional here; a family that has none leaves them out.
// Thread-safe: values and free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/families/model_config.h"
#include "worker/families/shard_plan.h"

namespace emend::worker::families {

// What of a tensor's dimension a rank holds.
enum class Share : std::uint8_t {
  kWhole,
  kHeads,
  kKvHeads,
  kFusedHeads,  // all queries, then all keys, then all values
  kHeadByHead,  // of each head in turn its query, its key, its value
  kIntermediate,
  kFusedIntermediate,  // the gate, then what it is multiplied with
  kVocabulary
};

struct TensorPlan {
  std::string name;
  std::vector<std::int64_t> shape = {};  // of the whole tensor: one or two dimensions
  Share share = Share::kWhole;
  int dimension = 0;  // that is shared
};

struct NormPlan {
  TensorPlan weight;
  std::optional<TensorPlan> bias = {};
  bool is_stored_less_one = false;  // what scales is 1 + weight
};

// Linear, of one input. Its outputs may be stored in several tensors, here in their order.
struct ProjectionPlan {
  std::vector<TensorPlan> weights;
  std::vector<TensorPlan> biases = {};  // none, or one for each weight
  bool stored_in_out = false;           // true: stored [in, out] (Conv1D); false: [out, in]
};

// The first elements of a head, two for each frequency, are turned in pairs: element i with element
// i + (number of pairs), or, interleaved, 2i with 2i + 1. Those behind them stay.
struct RotaryPlan {
  std::vector<float> frequencies;  // radians a position, of each pair
  double magnitude = 1;            // of what is turned (rotary.h)
  bool is_interleaved = false;
  friend bool operator==(const RotaryPlan&, const RotaryPlan&) = default;
};

struct AttentionPlan {
  double scale = 0;         // of queries · keys; 0: 1 / sqrt(head_dim)
  double softcap = 0;       // scores become cap · tanh(scores / cap); 0: none
  std::int64_t window = 0;  // keys that a query sees, its own token's among them; 0: all
};

// Of a block's up and down projections, which are then of so many experts, a token passes some.
struct ExpertsPlan {
  ProjectionPlan router = {};  // [d, count]: a softmax over what it puts out is a token's shares
  std::int64_t count = 0;
  std::int64_t active = 0;  // experts that a token passes: those of its greatest shares
  std::int64_t width = 0;   // d_ff of each
  bool is_normed = false;   // these shares are made to sum to 1
};

// In the order in which a hidden state passes them.
struct BlockPlan {
  std::optional<NormPlan> attention_norm = {};
  ProjectionPlan query_key_value;
  // Over the elements of each head, or, where their weights are shared as heads are, over those of
  // all heads.
  std::optional<NormPlan> query_norm = {};
  std::optional<NormPlan> key_norm = {};
  std::optional<RotaryPlan> rotary = {};
  AttentionPlan attention = {};
  ProjectionPlan attention_out;
  std::optional<NormPlan> attention_post_norm = {};  // before it is added to the residual
  // Both halves read the block's input; else the second reads what the first made of it.
  bool is_parallel = false;
  std::optional<NormPlan> mlp_norm = {};
  std::optional<ExpertsPlan> experts = {};
  ProjectionPlan up;    // with the gate first, if there is one; of each expert in turn
  ProjectionPlan down;  // what edits change: one tensor, or one of each expert, side by side
  std::optional<NormPlan> mlp_post_norm = {};
};

struct ModelLayout {
  TensorPlan token_embedding;
  std::optional<TensorPlan> position_embedding = {};
  std::vector<BlockPlan> blocks;
  NormPlan final_norm;
  TensorPlan head;  // where it is tied, the file need not have it
  std::optional<TensorPlan> head_bias = {};
  // Endings of names that files may have besides: what follows from the config.
  std::vector<std::string> buffers = {};
};

struct ModelPlan {
  ModelConfig config;
  ModelLayout layout;
};

// What a model holds: every tensor of the layout, but for a head that is tied.
std::vector<const TensorPlan*> TensorsOf(const ModelPlan& model);
// The norms among them.
std::vector<const NormPlan*> NormsOf(const ModelPlan& model);
// The rotations that its blocks use, each once.
std::vector<RotaryPlan> RotariesOf(const ModelLayout& layout);

// A rank's part of a tensor.
Cut CutOf(const TensorPlan& tensor, const ModelConfig& config, const ShardPlan& shard);
std::int64_t ElementsOf(const TensorPlan& tensor);
std::int64_t ElementsOf(const TensorPlan& tensor, const Cut& cut);

// Whether the file's headers are what the layout asks for. kInvalidArgument: "missing_tensor",
// "misshapen_tensor", "surplus_tensor" names all that the layout does not know; kUnsupported:
// "unsupported_dtype".
Status CheckTensors(const ModelPlan& model, const storage::checkpoint::Checkpoint& checkpoint);

// kInvalidArgument, for a file of this folder that holds a tied head with other values.
Status UntiedHead(const ModelPlan& model, const std::string& folder);

}  // namespace emend::worker::families
