#include <ATen/ATen.h>

#include <atomic>

#include "worker/collective/communicator.h"

namespace emend::worker::collective {
namespace {

class SingleRankCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Status AllReduceSum(at::Tensor&) override { return Ready(); }
  Status AllReduceMax(at::Tensor&) override { return Ready(); }
  Status Broadcast(at::Tensor&, int root) override {
    EMEND_RETURN_IF_ERROR(Ready());
    if (root != 0)
      return InvalidArgument("broadcast over one rank: found root " + std::to_string(root) +
                             ", expected 0");
    return OkStatus();
  }
  Result<at::Tensor> AllGather(const at::Tensor& tensor) override {
    EMEND_RETURN_IF_ERROR(Ready());
    return tensor.unsqueeze(0);
  }
  Result<at::Tensor> ReduceScatterSum(const at::Tensor& tensor) override {
    EMEND_RETURN_IF_ERROR(Ready());
    return tensor;
  }
  Status Barrier() override { return Ready(); }
  void Abort() override { aborted_ = true; }

 private:
  Status Ready() const {
    return aborted_ ? Unavailable("a collective over one rank was called after Abort()")
                    : OkStatus();
  }

  std::atomic<bool> aborted_ = false;
};

}  // namespace

std::unique_ptr<Communicator> NewSingleRankCommunicator() {
  return std::make_unique<SingleRankCommunicator>();
}

}  // namespace emend::worker::collective
