#include "worker/server/rank_group.h"

#include <ATen/Parallel.h>

#include <utility>

#include "storage/base/digest.h"
#include "worker/collective/nccl_communicator.h"
#include "worker/collective/probe.h"
#include "worker/collective/tcp_communicator.h"

namespace emend::worker::server {
namespace {

using namespace std::chrono_literals;

// Ranks come within moments of each other. A call lasts as long as the slowest rank's share of the
// work before it: a rank that is lost ends it sooner.
constexpr auto kJoinTimeout = 5s;
constexpr auto kCallTimeout = 600s;

const char* NameOf(collective::Severity severity) {
  switch (severity) {
    case collective::Severity::kNote: return "note";
    case collective::Severity::kWarning: return "warning";
    case collective::Severity::kError: return "error";
  }
  return "note";
}

}  // namespace

Result<Collective> CollectiveFromName(std::string_view name) {
  if (name == "auto") return Collective::kAuto;
  if (name == "tcp") return Collective::kTcp;
  if (name == "nccl") return Collective::kNccl;
  return InvalidArgument("choosing what moves tensors between ranks: found \"" + std::string(name) +
                         "\", expected auto, tcp or nccl");
}

RankGroup::RankGroup(RankGroupOptions options)
    : options_(std::move(options)), communicator_(collective::NewSingleRankCommunicator()) {}

Result<std::string> RankGroup::Open() {
  Replace(collective::NewSingleRankCommunicator(), std::nullopt);
  EMEND_ASSIGN_OR_RETURN(port_, collective::LinePort::Open(options_.host));
  return port_->address();
}

Status RankGroup::Join(const protocol::JoinGroup& request) {
  const auto size = static_cast<std::int32_t>(request.addresses.size());
  if (port_ == nullptr)
    return FailedPrecondition("joining a group of " + std::to_string(size) +
                              " ranks: no port is open; open a line first");
  if (request.rank < 0 || request.rank >= size) {
    return InvalidArgument("joining a group of " + std::to_string(size) + " ranks: found rank " +
                           std::to_string(request.rank));
  }
  EMEND_ASSIGN_OR_RETURN(auto line,
                         collective::Line::Join(std::move(port_), {.rank = request.rank,
                                                                   .size = size,
                                                                   .generation = request.generation,
                                                                   .secret = request.secret,
                                                                   .addresses = request.addresses,
                                                                   .join_timeout = kJoinTimeout,
                                                                   .call_timeout = kCallTimeout}));
  const protocol::GroupPlace place{Sha256(request.secret), request.rank, size};
  if (!MovesByNccl()) {
    Replace(collective::NewTcpCommunicator(std::move(line)), place);
    return OkStatus();
  }
  EMEND_ASSIGN_OR_RETURN(
      auto communicator,
      collective::NewNcclCommunicator(std::move(line), {.device = options_.device,
                                                        .device_index = options_.device.index(),
                                                        .call_timeout = kCallTimeout,
                                                        .paths = {}}));
  Replace(std::move(communicator), place);
  return OkStatus();
}

bool RankGroup::MovesByNccl() const {
  return options_.collective == Collective::kNccl ||
         (options_.collective == Collective::kAuto && options_.device.is_cuda());
}

Result<protocol::ProbeRanksReply> RankGroup::Probe() {
  EMEND_ASSIGN_OR_RETURN(const collective::GroupProbe probe,
                         collective::ProbeGroup(*communicator_, {.host = options_.host,
                                                                 .device = options_.device.str(),
                                                                 .threads = at::get_num_threads(),
                                                                 .over_nccl = MovesByNccl(),
                                                                 .nccl = {}}));
  protocol::ProbeRanksReply reply{
      .ranks = {probe.ranks.begin(), probe.ranks.end()}, .links = probe.links, .advice = {}};
  for (const collective::Advice& advice : collective::Advise(probe)) {
    reply.advice.push_back(
        {NameOf(advice.severity), advice.code, advice.found, advice.expected, advice.action});
  }
  return reply;
}

void RankGroup::Interrupt() {
  const std::lock_guard lock(mutex_);
  if (communicator_->size() > 1) communicator_->Abort();
  place_.reset();
}

std::optional<protocol::GroupPlace> RankGroup::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

void RankGroup::Replace(std::unique_ptr<collective::Communicator> next,
                        std::optional<protocol::GroupPlace> place) {
  const std::lock_guard lock(mutex_);
  communicator_ = std::move(next);
  place_ = place;
}

}  // namespace emend::worker::server
