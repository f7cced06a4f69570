#include "worker/collective/nccl_communicator.h"

#include <ATen/ATen.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>

#include "worker/collective/exchange.h"
#include "worker/collective/tcp_communicator.h"
#include "worker/collective/tensor_call.h"

namespace emend::worker::collective {
namespace {

using Clock = std::chrono::steady_clock;

// The legacy default stream, which is also ATen's: kernels before and after a collective are
// ordered with it, from whichever thread they come.
constexpr CudaStream kDefaultStream = nullptr;
// A rank that has what it waited for may be done and gone; the others get this long to see the
// same.
constexpr std::chrono::milliseconds kGoodbye{200};
constexpr int kSpins = 2000;  // looks without a pause: most collectives are over by then
constexpr std::chrono::microseconds kPause{50};
// between looks at the connections, which cost a system call each
constexpr int kLooksPerWatch = 64;

NcclType TypeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kDouble: return NcclType::kFloat64;
    case at::kLong: return NcclType::kInt64;
    default: return NcclType::kFloat32;
  }
}

std::size_t CountOf(const at::Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Line> line, const NcclOptions& options)
      : options_(options), line_(*line), cpu_(NewTcpCommunicator(std::move(line))) {}

  // Every call has waited for its end, so there is nothing to finish; and unlike destroying,
  // aborting does not wait for ranks that may be gone.
  ~NcclCommunicator() override { Drop(); }

  // Forms the group.
  Status Connect();

  int rank() const override { return line_.rank(); }
  int size() const override { return line_.size(); }
  Status AllReduceSum(at::Tensor& tensor) override {
    if (!IsOurs(tensor)) return cpu_->AllReduceSum(tensor);
    return AllReduce(tensor, Operation::kSum, "all_reduce_sum");
  }
  Status AllReduceMax(at::Tensor& tensor) override {
    if (!IsOurs(tensor)) return cpu_->AllReduceMax(tensor);
    return AllReduce(tensor, Operation::kMax, "all_reduce_max");
  }
  Status Broadcast(at::Tensor& tensor, int root) override;
  Result<at::Tensor> AllGather(const at::Tensor& tensor) override;
  Result<at::Tensor> ReduceScatterSum(const at::Tensor& tensor) override;
  Status Barrier() override { return cpu_->Barrier(); }
  void Abort() override {
    aborted_ = true;
    line_.Abort();
  }

 private:
  enum class Until { kReady, kDone };  // NCCL has taken the call; the stream has come to its end

  bool IsOurs(const at::Tensor& tensor) const { return tensor.device() == options_.device; }
  Status AllReduce(at::Tensor& tensor, Operation operation, const char* name);
  // Announces the call on the line, issues it, and waits.
  Status Run(LineCall call, const std::function<NcclResult(const NcclFunctions&)>& issue);
  Status Await(const LineCall& call, Until until, std::chrono::milliseconds timeout);
  // Ok and true: over. Whatever NCCL or CUDA reports is the failure.
  Result<bool> Look(Until until) const;
  std::string ErrorText(NcclResult result) const;
  Status End(const LineCall& call, Status why);
  void Drop();

  const NcclOptions options_;
  Line& line_;  // cpu_'s
  const std::unique_ptr<Communicator> cpu_;
  std::shared_ptr<const NcclLibrary> library_;
  NcclComm comm_ = nullptr;
  Status ended_;  // why no call is possible any more
  std::atomic<bool> aborted_ = false;
};

Status Lost(const std::string& what) { return {StatusCode::kUnavailable, "group_lost", what}; }

// ---- forming -----------------------------------------------------------------------------------

Result<std::string> MakeId(const NcclFunctions& nccl) {
  NcclId id{};
  const NcclResult made = nccl.get_unique_id(&id);
  if (made != NcclResult::kSuccess)
    return Lost(std::string("NCCL makes no group: ") + nccl.get_error_string(made) + "; " +
                nccl.get_last_error(nullptr));
  return std::string(id.bytes.data(), id.bytes.size());
}

Status CheckVersions(const std::vector<std::string>& versions) {
  for (std::size_t rank = 1; rank < versions.size(); ++rank) {
    if (versions[rank] == versions[0]) continue;
    return {StatusCode::kFailedPrecondition, "nccl_versions_differ",
            "forming a group over NCCL: rank 0 has " + versions[0] + ", rank " +
                std::to_string(rank) + " has " + versions[rank] +
                "; install the same version everywhere"};
  }
  return OkStatus();
}

Status NcclCommunicator::Connect() {
  auto library = NcclLibrary::Open(options_.paths);
  EMEND_RETURN_IF_ERROR(AgreeOn(*cpu_, library.status()));
  library_ = std::move(*library);
  const NcclFunctions& nccl = library_->nccl();
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> versions,
                         AllGatherBytes(*cpu_, library_->version()));
  EMEND_RETURN_IF_ERROR(CheckVersions(versions));
  EMEND_ASSIGN_OR_RETURN(
      const std::string bytes,
      BroadcastOutcome(*cpu_, rank() == 0 ? MakeId(nccl) : Result<std::string>(""), /*root=*/0));
  NcclId id{};
  EMEND_CHECK(bytes.size() == id.bytes.size(), "the name of a group over NCCL has another size");
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());

  NcclConfig config;
  config.blocking = 0;
  const LineCall call{.name = "forming the group"};
  const int selected = library_->cuda().set_device(options_.device_index);
  if (selected != kCudaSuccess)
    return End(call, Lost(std::string("CUDA: ") + library_->cuda().get_error_string(selected)));
  const NcclResult issued = nccl.init_rank(&comm_, size(), id, rank(), &config);
  if (issued != NcclResult::kSuccess && issued != NcclResult::kInProgress)
    return End(call, Lost(ErrorText(issued)));
  return Await(call, Until::kReady, options_.form_timeout);
}

// ---- one call ----------------------------------------------------------------------------------

Status NcclCommunicator::Run(LineCall call,
                             const std::function<NcclResult(const NcclFunctions&)>& issue) {
  EMEND_RETURN_IF_ERROR(ended_);
  call.operation += kBesideTheLine;
  if (Status announced = line_.Compare(call); !announced.ok()) {
    ended_ = std::move(announced);
    Drop();
    return ended_;
  }
  if (call.elements == 0) return OkStatus();
  // Gradients come from a thread of autograd's, whose device may be another.
  const int selected = library_->cuda().set_device(options_.device_index);
  if (selected != kCudaSuccess)
    return End(call, Lost(std::string("CUDA: ") + library_->cuda().get_error_string(selected)));
  const NcclResult issued = issue(library_->nccl());
  if (issued != NcclResult::kSuccess && issued != NcclResult::kInProgress)
    return End(call, Lost(ErrorText(issued)));
  return Await(call, Until::kDone, options_.call_timeout);
}

Result<bool> NcclCommunicator::Look(Until until) const {
  NcclResult state = NcclResult::kSuccess;
  const NcclResult asked = library_->nccl().get_async_error(comm_, &state);
  if (asked != NcclResult::kSuccess) return Lost(ErrorText(asked));
  if (state == NcclResult::kInProgress) return false;
  if (state != NcclResult::kSuccess) return Lost(ErrorText(state));
  if (until == Until::kReady) return true;
  const int stream = library_->cuda().stream_query(kDefaultStream);
  if (stream == kCudaSuccess) return true;
  if (stream == kCudaNotReady) return false;
  return Lost(std::string("CUDA: ") + library_->cuda().get_error_string(stream));
}

Status NcclCommunicator::Await(const LineCall& call, Until until,
                               std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  Clock::time_point last_chance = deadline;
  Status gone;
  for (std::int64_t looks = 1;; ++looks) {
    const Result<bool> over = Look(until);
    if (!over.ok()) return End(call, over.status());
    if (*over) return OkStatus();
    if (aborted_) return End(call, Lost("the group was aborted"));
    if (looks > kSpins) std::this_thread::sleep_for(kPause);
    if (looks % kLooksPerWatch != 0) continue;
    const Clock::time_point now = Clock::now();
    if (gone.ok()) {
      gone = line_.Watch();
      if (!gone.ok()) last_chance = std::min(deadline, now + kGoodbye);
    }
    if (now < last_chance) continue;
    if (!gone.ok()) return End(call, Lost(gone.message()));
    return End(call, Status(StatusCode::kDeadlineExceeded, "collective_timeout",
                            "not done after " + std::to_string(timeout.count()) +
                                " ms; a rank hangs or cannot be reached"));
  }
}

std::string NcclCommunicator::ErrorText(NcclResult result) const {
  const char* const last = library_->nccl().get_last_error(comm_);
  const std::string more = last == nullptr ? "" : last;
  std::string text = std::string("NCCL: ") + library_->nccl().get_error_string(result) +
                     (more.empty() ? "" : " (" + more + ")");
  if (more.find("Duplicate GPU") != std::string::npos)
    text += "; give each rank a GPU of its own, or, to try things out, an NCCL_HOSTID of its own";
  return text;
}

// The line first: its neighbours abort then, and NCCL may wait for them.
Status NcclCommunicator::End(const LineCall& call, Status why) {
  ended_ = why.WithContext(line_.Describe(call));
  line_.End(ended_);
  Drop();
  return ended_;
}

void NcclCommunicator::Drop() {
  if (comm_ != nullptr) library_->nccl().abort(std::exchange(comm_, nullptr));
}

// ---- operations --------------------------------------------------------------------------------

Status NcclCommunicator::AllReduce(at::Tensor& tensor, Operation operation, const char* name) {
  EMEND_ASSIGN_OR_RETURN(const LineCall call, CallOf(tensor, operation, name));
  const NcclReduction reduction =
      operation == Operation::kMax ? NcclReduction::kMax : NcclReduction::kSum;
  const at::Tensor straight = tensor.contiguous();
  EMEND_RETURN_IF_ERROR(Run(call, [&](const NcclFunctions& nccl) {
    return nccl.all_reduce(straight.data_ptr(), straight.data_ptr(), CountOf(straight),
                           TypeOf(straight), reduction, comm_, kDefaultStream);
  }));
  if (!straight.is_same(tensor)) tensor.copy_(straight);
  return OkStatus();
}

Status NcclCommunicator::Broadcast(at::Tensor& tensor, int root) {
  if (!IsOurs(tensor)) return cpu_->Broadcast(tensor, root);
  EMEND_RETURN_IF_ERROR(CheckRoot(root, size()));
  EMEND_ASSIGN_OR_RETURN(LineCall call, CallOf(tensor, Operation::kBroadcast, "broadcast"));
  call.root = root;
  const at::Tensor straight = tensor.contiguous();
  EMEND_RETURN_IF_ERROR(Run(call, [&](const NcclFunctions& nccl) {
    return nccl.broadcast(straight.data_ptr(), straight.data_ptr(), CountOf(straight),
                          TypeOf(straight), root, comm_, kDefaultStream);
  }));
  if (!straight.is_same(tensor)) tensor.copy_(straight);
  return OkStatus();
}

Result<at::Tensor> NcclCommunicator::AllGather(const at::Tensor& tensor) {
  if (!IsOurs(tensor)) return cpu_->AllGather(tensor);
  EMEND_ASSIGN_OR_RETURN(const LineCall call, CallOf(tensor, Operation::kAllGather, "all_gather"));
  const at::Tensor straight = tensor.contiguous();
  const at::Tensor all = at::empty(GatheredSizes(tensor, size()), tensor.options());
  EMEND_RETURN_IF_ERROR(Run(call, [&](const NcclFunctions& nccl) {
    return nccl.all_gather(straight.data_ptr(), all.data_ptr(), CountOf(straight), TypeOf(straight),
                           comm_, kDefaultStream);
  }));
  return all;
}

Result<at::Tensor> NcclCommunicator::ReduceScatterSum(const at::Tensor& tensor) {
  if (!IsOurs(tensor)) return cpu_->ReduceScatterSum(tensor);
  EMEND_RETURN_IF_ERROR(CheckScatter(tensor, size()));
  EMEND_ASSIGN_OR_RETURN(const LineCall call,
                         CallOf(tensor, Operation::kReduceScatter, "reduce_scatter"));
  const at::Tensor straight = tensor.contiguous();
  const at::Tensor part = at::empty(ScatteredSizes(tensor, size()), tensor.options());
  EMEND_RETURN_IF_ERROR(Run(call, [&](const NcclFunctions& nccl) {
    return nccl.reduce_scatter(straight.data_ptr(), part.data_ptr(), CountOf(part), TypeOf(part),
                               NcclReduction::kSum, comm_, kDefaultStream);
  }));
  return part;
}

}  // namespace

Result<std::unique_ptr<Communicator>> NewNcclCommunicator(std::unique_ptr<Line> line,
                                                          const NcclOptions& options) {
  auto communicator = std::make_unique<NcclCommunicator>(std::move(line), options);
  EMEND_RETURN_IF_ERROR(communicator->Connect());
  return std::unique_ptr<Communicator>(std::move(communicator));
}

}  // namespace emend::worker::collective
