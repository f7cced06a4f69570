// What a worker answers to each request. One object a worker, used by its compute thread alone.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string_view>

#include "worker/protocol/messages.h"
#include "worker/server/live_base.h"

namespace emend::worker::server {

// One request under way. The control thread sets `cancelled`; the compute thread reports.
struct Call {
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)> progress;
};

class Handlers {
 public:
  explicit Handlers(const LiveBaseOptions& options) : options_(options) {}

  // Never throws. kFailedPrecondition ("base_not_loaded", "state_not_live") tell the coordinator what to send first; kCancelled if the call was; else as the
  // folders that do the work document. Failpoints: worker.<request>.received and worker.<request>.before_reply.
  Result<protocol::ReplyBody> Handle(const protocol::RequestBody& request, const Call& call);

 private:
  Result<protocol::ReplyBody> Dispatch(const protocol::RequestBody& request, const Call& call);
  Result<LiveBase*> Base(const BaseId& id);

  Result<protocol::ReplyBody> Run(const protocol::LoadBase& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::EnsureState& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::PutEdits& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::ComputeStatistics& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Solve& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Evaluate& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::Generate& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::DigestState& request, const Call& call);
  Result<protocol::ReplyBody> Run(const protocol::SampleTexts& request, const Call& call);

  const LiveBaseOptions options_;
  std::map<BaseId, std::unique_ptr<LiveBase>> bases_;
};

}  // namespace emend::worker::server
