// How much each edit of a state acts on a text: what its columns add to the outputs of the down
// projections, beside those outputs.
//
//   influence = max over tokens t of Σ over the edit's tensors ‖Δ k_t‖ / ‖o_t‖
//
// with k_t the tensor's input at t as the state computes it, o_t the output of its layer's whole
// down projection, and Δ = G · Σ 2^shift · a · bᵀ over the edit's columns. An edit that wrote an
// answer acts on its text; one that acts on a text need not have changed the answer: that tells the
// answer without it.
//
//   EMEND_ASSIGN_OR_RETURN(const std::vector<double> influences,
//                          InfluencesOn(model, tokens, state.deltas));
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "storage/delta/payload.h"
#include "worker/edit/progress.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

// Of each edit, the same on every rank; 0 for one that changes nothing. `model` is that of the
// state which has the edits; `tokens` are at least one, and at most the context. Blocks on compute;
// memory: activations of the text, and its products with all columns of a layer. Over several ranks
// all make the same call. kResourceExhausted when memory runs out, a communicator's failure, and
// what `progress` says, which is asked once a layer.
Result<std::vector<double>> InfluencesOn(
    const model::Transformer& model, std::span<const tokenizer::TokenId> tokens,
    std::span<const std::shared_ptr<const storage::delta::EditDelta>> edits,
    const ProgressFunction& progress = {});

}  // namespace emend::worker::edit
