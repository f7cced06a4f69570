#include "worker/model/experts.h"

#include <ATen/ATen.h>

#include <vector>

namespace emend::worker::model {

Routes Route(const at::Tensor& input, const Experts& experts) {
  const at::Tensor all = at::softmax(at::matmul(input, experts.router), -1);
  auto [shares, chosen] = at::topk(all, experts.active, -1);
  if (experts.is_normed) shares = at::div(shares, shares.sum(-1, /*keepdim=*/true));
  return {.experts = chosen, .shares = shares};
}

at::Tensor ThroughExperts(const at::Tensor& input, const at::Tensor& experts,
                          const at::Tensor& weights) {
  const at::Tensor passes = experts.flatten();  // a token through one of its experts
  const at::Tensor order = at::argsort(passes, /*stable=*/true);
  const at::Tensor rows =
      input.size(1) == experts.size(1) ? order : at::floor_divide(order, experts.size(1));
  const at::Tensor sorted = input.flatten(0, 1).index_select(0, rows);
  const at::Tensor counts = at::bincount(passes, {}, weights.size(0)).cpu();
  std::vector<at::Tensor> outputs;
  for (std::int64_t expert = 0, begin = 0; expert < weights.size(0); ++expert) {
    const std::int64_t count = counts.const_data_ptr<std::int64_t>()[expert];
    if (count == 0) continue;
    outputs.push_back(at::matmul(sorted.narrow(0, begin, count), weights[expert]));
    begin += count;
  }
  return at::cat(outputs)
      .index_select(0, at::argsort(order))
      .view({experts.size(0), experts.size(1), weights.size(2)});
}

}  // namespace emend::worker::model
