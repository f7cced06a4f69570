#include "worker/collective/tcp_communicator.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/collective/tensor_call.h"

namespace emend::worker::collective {
namespace {

template <typename T>
void AddInto(std::span<const std::uint8_t> below, std::span<std::uint8_t> into) {
  const auto* lower = reinterpret_cast<const T*>(below.data());
  auto* own = reinterpret_cast<T*>(into.data());
  for (std::size_t i = 0; i < into.size() / sizeof(T); ++i) own[i] = lower[i] + own[i];
}

// NaN wins, from whichever rank.
template <typename T>
void MaxInto(std::span<const std::uint8_t> below, std::span<std::uint8_t> into) {
  const auto* lower = reinterpret_cast<const T*>(below.data());
  auto* own = reinterpret_cast<T*>(into.data());
  for (std::size_t i = 0; i < into.size() / sizeof(T); ++i) {
    const bool own_wins = own[i] != own[i] || own[i] >= lower[i];
    own[i] = own_wins ? own[i] : lower[i];
  }
}

Combine CombineOf(Operation operation, at::ScalarType type) {
  const bool is_max = operation == Operation::kMax;
  if (type == at::kFloat) return is_max ? &MaxInto<float> : &AddInto<float>;
  if (type == at::kDouble) return is_max ? &MaxInto<double> : &AddInto<double>;
  return is_max ? &MaxInto<std::int64_t> : &AddInto<std::int64_t>;
}

std::span<std::uint8_t> BytesOf(const at::Tensor& tensor) {
  return {static_cast<std::uint8_t*>(tensor.data_ptr()), tensor.nbytes()};
}

// The sockets' memory: the tensor itself where it lies on the CPU in one piece.
at::Tensor OnCpu(const at::Tensor& tensor) { return tensor.cpu().contiguous(); }

class TcpCommunicator final : public Communicator {
 public:
  explicit TcpCommunicator(std::unique_ptr<Line> line) : line_(std::move(line)) {}

  int rank() const override { return line_->rank(); }
  int size() const override { return line_->size(); }

  Status AllReduceSum(at::Tensor& tensor) override {
    return AllReduce(tensor, Operation::kSum, "all_reduce_sum");
  }
  Status AllReduceMax(at::Tensor& tensor) override {
    return AllReduce(tensor, Operation::kMax, "all_reduce_max");
  }

  Status Broadcast(at::Tensor& tensor, int root) override {
    EMEND_RETURN_IF_ERROR(CheckRoot(root, size()));
    EMEND_ASSIGN_OR_RETURN(LineCall call, CallOf(tensor, Operation::kBroadcast, "broadcast"));
    call.root = root;
    const at::Tensor host = OnCpu(tensor);
    EMEND_RETURN_IF_ERROR(line_->Broadcast(BytesOf(host), call));
    TakeBack(host, tensor);
    return OkStatus();
  }

  Result<at::Tensor> AllGather(const at::Tensor& tensor) override {
    EMEND_ASSIGN_OR_RETURN(const LineCall call,
                           CallOf(tensor, Operation::kAllGather, "all_gather"));
    at::Tensor all = at::empty(GatheredSizes(tensor, size()), tensor.options().device(at::kCPU));
    all[rank()].copy_(tensor);
    EMEND_RETURN_IF_ERROR(line_->AllGather(BytesOf(all), call));
    return all.to(tensor.device());
  }

  Result<at::Tensor> ReduceScatterSum(const at::Tensor& tensor) override {
    EMEND_RETURN_IF_ERROR(CheckScatter(tensor, size()));
    EMEND_ASSIGN_OR_RETURN(const LineCall call,
                           CallOf(tensor, Operation::kReduceScatter, "reduce_scatter"));
    // scratch for the sums that belong to others
    const at::Tensor host = tensor.cpu().contiguous().clone();
    EMEND_RETURN_IF_ERROR(line_->ReduceScatter(BytesOf(host), call,
                                               CombineOf(Operation::kSum, tensor.scalar_type())));
    const std::int64_t part = tensor.size(0) / size();
    return host.narrow(0, rank() * part, part).clone().to(tensor.device());
  }

  Status Barrier() override {
    at::Tensor nothing = at::zeros({1}, at::kLong);
    return AllReduce(nothing, Operation::kBarrier, "barrier");
  }

  void Abort() override { line_->Abort(); }

 private:
  static void TakeBack(const at::Tensor& host, at::Tensor& tensor) {
    if (host.data_ptr() != tensor.data_ptr()) tensor.copy_(host);
  }

  Status AllReduce(at::Tensor& tensor, Operation operation, const char* name) {
    EMEND_ASSIGN_OR_RETURN(const LineCall call, CallOf(tensor, operation, name));
    const at::Tensor host = OnCpu(tensor);
    EMEND_RETURN_IF_ERROR(
        line_->AllReduce(BytesOf(host), call, CombineOf(operation, tensor.scalar_type())));
    TakeBack(host, tensor);
    return OkStatus();
  }

  const std::unique_ptr<Line> line_;
};

}  // namespace

std::unique_ptr<Communicator> NewTcpCommunicator(std::unique_ptr<Line> line) {
  return std::make_unique<TcpCommunicator>(std::move(line));
}

}  // namespace emend::worker::collective
