#include "worker/model/rank_cuts.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "worker/model/guard.h"

namespace emend::worker::model {
namespace {

using collective::Communicator;
using families::Slice;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::Tensor Sum(at::Tensor tensor, Communicator& communicator) {
  ThrowIfError(communicator.AllReduceSum(tensor));
  return tensor;
}

// Parts of different widths travel as the widest one.
at::Tensor Gather(const at::Tensor& part, const std::vector<Slice>& slices,
                  Communicator& communicator) {
  const std::int64_t widest = std::ranges::max(slices, {}, &Slice::size).size;
  at::Tensor padded = part;
  if (part.size(-1) < widest) padded = at::constant_pad_nd(part, {0, widest - part.size(-1)});
  const at::Tensor all = ValueOrThrow(communicator.AllGather(padded.contiguous()));
  std::vector<at::Tensor> parts;
  for (std::size_t rank = 0; rank < slices.size(); ++rank)
    parts.push_back(all[static_cast<std::int64_t>(rank)].narrow(-1, 0, slices[rank].size));
  return at::cat(parts, -1);
}

struct Enter : torch::autograd::Function<Enter> {
  static Variable forward(AutogradContext* context, const Variable& whole,
                          Communicator* communicator) {
    context->saved_data["communicator"] = reinterpret_cast<std::int64_t>(communicator);
    return whole.view_as(whole);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto* const communicator =
        reinterpret_cast<Communicator*>(context->saved_data["communicator"].toInt());
    return {Sum(gradients[0].clone(at::MemoryFormat::Contiguous), *communicator), {}};
  }
};

struct SumOver : torch::autograd::Function<SumOver> {
  static Variable forward(AutogradContext*, const Variable& partial, Communicator* communicator) {
    return Sum(partial.clone(at::MemoryFormat::Contiguous), *communicator);
  }
  static variable_list backward(AutogradContext*, variable_list gradients) {
    return {gradients[0], {}};
  }
};

struct GatherOver : torch::autograd::Function<GatherOver> {
  static Variable forward(AutogradContext* context, const Variable& part,
                          const std::vector<Slice>* slices, Communicator* communicator) {
    const Slice own = (*slices)[static_cast<std::size_t>(communicator->rank())];
    context->saved_data["begin"] = own.begin;
    context->saved_data["size"] = own.size;
    return Gather(part, *slices, *communicator);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0].narrow(-1, context->saved_data["begin"].toInt(),
                                context->saved_data["size"].toInt()),
            {},
            {}};
  }
};

bool WantsGradient(const at::Tensor& tensor) {
  return at::GradMode::is_enabled() && tensor.requires_grad();
}

}  // namespace

at::Tensor EnterCut(const at::Tensor& whole, Communicator& communicator) {
  if (communicator.size() == 1 || !WantsGradient(whole)) return whole;
  return Enter::apply(whole, &communicator);
}

at::Tensor SumCut(const at::Tensor& partial, Communicator& communicator) {
  if (communicator.size() == 1) return partial;
  if (!WantsGradient(partial)) return Sum(partial, communicator);
  return SumOver::apply(partial, &communicator);
}

at::Tensor GatherCut(const at::Tensor& part, const std::vector<Slice>& slices,
                     Communicator& communicator) {
  if (communicator.size() == 1) return part;
  if (!WantsGradient(part)) return Gather(part, slices, communicator);
  return GatherOver::apply(part, &slices, &communicator);
}

}  // namespace emend::worker::model
