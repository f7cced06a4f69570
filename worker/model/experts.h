// Experts: a block's second half of which each token passes some, those of its greatest shares.
//
//   const Routes routes = Route(input, experts);
//   // [tokens, active, 2 d_ff]: each token through each of its experts
//   at::Tensor up = ThroughExperts(input.unsqueeze(1), routes.experts, up_weights);
//
// Tokens are sorted by expert, so that each expert's are one product, and what nobody passes is not
// computed. Over several ranks every rank routes by itself, by what is the same on all of them.
// Autograd flows through inputs and shares. Internal to worker/model.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace emend::worker::model {

// families::ExpertsPlan
struct Experts {
  at::Tensor router;  // [d, experts]
  std::int64_t active = 0;
  bool is_normed = false;
};

struct Routes {
  at::Tensor experts;  // [tokens, active] int64, by falling share
  at::Tensor shares;   // [tokens, active]
};

// `input` [tokens, d].
Routes Route(const at::Tensor& input, const Experts& experts);

// `input` [tokens, 1 or active, in]: for all of a token's experts, or for each its own; `experts`
// as in Routes; `weights` [experts, in, out]. [tokens, active, out].
at::Tensor ThroughExperts(const at::Tensor& input, const at::Tensor& experts,
                          const at::Tensor& weights);

}  // namespace emend::worker::model
