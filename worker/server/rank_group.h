// RankGroup: the ranks that hold one model together, as one of them sees them.
//
//   // out of the group it was in; told to the coordinator
//   EMEND_ASSIGN_OR_RETURN(const std::string address, group.Open());
//   // once all addresses are known
//   EMEND_RETURN_IF_ERROR(group.Join(request));
//   group.communicator().AllReduceSum(partial);
//
// A worker that never joins is a group of one. A group that lost a rank, or was interrupted, is
// lost for good: every collective of it fails with "group_lost", until the coordinator forms the
// next. Used by the compute thread; Interrupt() from any.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <c10/core/Device.h>

#include "worker/collective/communicator.h"
#include "worker/collective/line.h"
#include "worker/protocol/messages.h"

namespace emend::worker::server {

// What moves tensors between ranks. kAuto: NCCL from one CUDA device to another, TCP otherwise.
enum class Collective { kAuto, kTcp, kNccl };
// "auto", "tcp", "nccl". kInvalidArgument.
Result<Collective> CollectiveFromName(std::string_view name);

struct RankGroupOptions {
  std::string host = "127.0.0.1";  // the address at which other ranks reach this one
  at::Device device = at::kCPU;    // where the model lies
  Collective collective = Collective::kAuto;
};

class RankGroup {
 public:
  explicit RankGroup(RankGroupOptions options = {});

  // Invalidates the communicator.
  Result<std::string> Open();
  // kFailedPrecondition without a port open; as Line::Join and NewNcclCommunicator.
  Status Join(const protocol::JoinGroup& request);
  // Until the next Open or Join.
  collective::Communicator& communicator() { return *communicator_; }
  // From any thread: where it stands; none alone, or once it was interrupted. Whether the others
  // stand yet is theirs to say.
  std::optional<protocol::GroupPlace> place() const;
  bool is_leader() const { return communicator_->rank() == 0; }
  int size() const { return communicator_->size(); }

  // What the ranks are like, and how they reach each other; by all of them together. Errors as
  // collective::ProbeGroup.
  Result<protocol::ProbeRanksReply> Probe();

  // Ends the collective under way and the group. Nothing to a group of one.
  void Interrupt();

 private:
  void Replace(std::unique_ptr<collective::Communicator> next,
               std::optional<protocol::GroupPlace> place);
  bool MovesByNccl() const;

  const RankGroupOptions options_;
  std::unique_ptr<collective::LinePort> port_;
  mutable std::mutex mutex_;
  // replaced under mutex_, by the compute thread
  std::unique_ptr<collective::Communicator> communicator_;
  std::optional<protocol::GroupPlace> place_;  // guarded by mutex_
};

}  // namespace emend::worker::server
