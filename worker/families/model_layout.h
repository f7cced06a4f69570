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
  kFusedHeads,  // queries, keys and values of as many heads, one after the other
  kIntermediate,
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
};

// Linear, of one input. Its outputs may be stored in several tensors, here in their order.
struct ProjectionPlan {
  std::vector<TensorPlan> weights;
  std::vector<TensorPlan> biases = {};  // none, or one for each weight
  bool stored_in_out = false;           // true: stored [in, out] (Conv1D); false: [out, in]
};

// Element i of a head is turned together with element i + head_dim / 2.
struct RotaryPlan {
  double theta = 10000.0;
  friend bool operator==(const RotaryPlan&, const RotaryPlan&) = default;
};

// In the order in which a hidden state passes them.
struct BlockPlan {
  NormPlan attention_norm;
  ProjectionPlan query_key_value;
  std::optional<NormPlan> query_norm = {};  // over the elements of each head
  std::optional<NormPlan> key_norm = {};
  std::optional<RotaryPlan> rotary = {};
  ProjectionPlan attention_out;
  std::optional<NormPlan> attention_post_norm = {};  // before it is added to the residual
  NormPlan mlp_norm;
  ProjectionPlan up;    // with the gate first, if there is one
  ProjectionPlan down;  // one tensor: the one that edits change
  std::optional<NormPlan> mlp_post_norm = {};
};

struct ModelLayout {
  TensorPlan token_embedding;
  std::optional<TensorPlan> position_embedding = {};
  std::vector<BlockPlan> blocks;
  NormPlan final_norm;
  TensorPlan head;  // where it is tied, the file need not have it
  // Endings of names that files may have besides: what follows from the config.
  std::vector<std::string> buffers = {};
};

struct ModelPlan {
  ModelConfig config;
  ModelLayout layout;
};

// What a model holds: every tensor of the layout, but for a head that is tied.
std::vector<const TensorPlan*> TensorsOf(const ModelPlan& model);
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
