#include "worker/server/group_probe.h"

namespace emend::worker::server {
namespace {

protocol::ProbedRank RankOf(const collective::RankProbe& probe) {
  return {.rank = probe.rank,
          .host_name = probe.host_name,
          .address = probe.address,
          .interface = probe.interface,
          .device = probe.device,
          .over_nccl = probe.over_nccl,
          .nccl_version = probe.nccl_version,
          .nccl_missing = probe.nccl_missing,
          .threads = probe.threads,
          .cores = probe.cores,
          .memory_bytes = probe.memory_bytes,
          .memory_free = probe.memory_free,
          .shm_bytes = probe.shm_bytes,
          .shm_free = probe.shm_free};
}

const char* NameOf(collective::Severity severity) {
  switch (severity) {
    case collective::Severity::kNote: return "note";
    case collective::Severity::kWarning: return "warning";
    case collective::Severity::kError: return "error";
  }
  return "note";
}

}  // namespace

Result<protocol::ProbeRanksReply> ProbeRanks(collective::Communicator& communicator,
                                             const collective::ProbeOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const collective::GroupProbe probe,
                         collective::ProbeGroup(communicator, options));
  protocol::ProbeRanksReply reply;
  for (const collective::RankProbe& rank : probe.ranks) reply.ranks.push_back(RankOf(rank));
  for (const collective::LinkProbe& link : probe.links) {
    reply.links.push_back({link.lower, link.upper, link.reached, link.why_not, link.latency_us,
                           link.gigabytes_per_second});
  }
  for (const collective::Advice& advice : collective::Advise(probe)) {
    reply.advice.push_back(
        {NameOf(advice.severity), advice.code, advice.found, advice.expected, advice.action});
  }
  return reply;
}

}  // namespace emend::worker::server
