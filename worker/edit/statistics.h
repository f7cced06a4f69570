// Second moments of the keys of a corpus: what a MEMIT update must leave alone.
//
//   EMEND_ASSIGN_OR_RETURN(Statistics statistics, ComputeStatistics(model, tokenizer, lines, {
//       .layers = settings.layers}));
//   EMEND_RETURN_IF_ERROR(SaveStatistics(statistics, "atlas|corpus digest|2000", path,
//       model.communicator()));
//
// The keys of a layer with experts are as wide as all experts, and 0 but for those that a token
// passes. Of their covariance the blocks on the diagonal are taken, one an expert. Of an expert
// that too few tokens pass to know its block, nothing is edited: it is frozen.
//
// One pass over the lines serves all layers and ends at the last of them. Each line is tokenised
// alone, cut to the model's context; lines of similar length run together and padding is left out
// of the sums. Blocks of keys are multiplied in fp32 and added up in fp64.
//
// Over several ranks each adds up a panel of rows; the layers are then dealt to the ranks, and each
// layer's panels gathered where it is held. These functions are then called by all ranks, like
// collectives; a failure on one is every rank's. Thread-safe: free functions on values. Tensors
// live on the model's device while computing, and in the result on the CPU. Errors: libtorch's
// exceptions come back as kInternal (kResourceExhausted out of memory).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/edit/progress.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

struct Statistics {
  // C = mean of k·kᵀ over all tokens, uncentred: [d_ff, d_ff] fp64, or [experts, d_ff, d_ff]; of
  // the layers that this rank holds
  std::map<LayerIndex, at::Tensor> covariance;
  std::int64_t tokens = 0;                 // that the mean is over
  std::map<LayerIndex, int> holders = {};  // the rank that holds each layer
  // how many tokens pass each expert; of all layers with experts, on every rank
  std::map<LayerIndex, std::vector<std::int64_t>> passed = {};
  // Lines longer than the context, and their tokens beyond it; 0 where a file was read again.
  std::int64_t lines_cut = 0;
  std::int64_t tokens_cut = 0;
};

struct StatisticsOptions {
  std::vector<LayerIndex> layers;
  // 0: all; else the last line is cut so that exactly this many are used
  std::int64_t tokens_max = 0;
  ProgressFunction progress;  // phases "encode", in lines, and "statistics", in tokens
};

// Whether an expert of this d_ff is frozen: fewer tokens make a block that is singular.
inline bool IsFrozen(std::int64_t tokens_passed, std::int64_t width) {
  return tokens_passed < width;
}

// kInvalidArgument if there is no line with a token, no layer, or a layer outside the model;
// kFailedPrecondition if a key is not finite.
Result<Statistics> ComputeStatistics(const model::Transformer& model,
                                     const tokenizer::Tokenizer& tokenizer,
                                     std::span<const std::string> lines,
                                     const StatisticsOptions& options);

// Rank 0 writes one safetensors file: a tensor a layer, the token count, `key` (the caller's name
// for model, layers and corpus) and a SHA-256 over all of it.
Status SaveStatistics(const Statistics& statistics, const std::string& key, const std::string& path,
                      collective::Communicator& communicator);

// kNotFound; kDataLoss ("bad_statistics") if the bytes are not what was written;
// kFailedPrecondition ("other_statistics") if the file was saved under another key. An empty `key`
// takes any.
Result<Statistics> LoadStatistics(const std::string& path, const std::string& key,
                                  collective::Communicator& communicator);

}  // namespace emend::worker::edit
