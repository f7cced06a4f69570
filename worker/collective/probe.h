// What a group of ranks is like: where each rank is and what it has, who reaches whom and how fast,
// and what to do about what is wrong. For `emend doctor`.
//
//   EMEND_ASSIGN_OR_RETURN(const GroupProbe probe, ProbeGroup(communicator, {.host = "10.0.0.5",
//       .device = "cuda:0", .threads = 16, .over_nccl = true}));
//   for (const Advice& advice : Advise(probe)) ...
//
// Pairs are tried on connections of their own, so that one that does not work is a line in the
// answer and not the end of the group. Under two seconds for eight ranks that reach each other, and
// a second more for each rank that does not.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "storage/base/status.h"
#include "worker/collective/communicator.h"
#include "worker/collective/nccl_api.h"
#include "worker/protocol/probe_messages.h"

namespace emend::worker::collective {

struct ProbeOptions {
  std::string host = "127.0.0.1";  // the address at which the other ranks reach this one
  std::string device = "cpu";
  int threads = 1;         // that compute
  bool over_nccl = false;  // the group moves tensors by NCCL
  NcclPaths nccl = {};
};

struct RankProbe : protocol::ProbedRank {
  bool is_loopback = false;  // the interface
  static auto Fields(auto& m) {
    return std::tuple_cat(protocol::ProbedRank::Fields(m), std::tie(m.is_loopback));
  }
};
using LinkProbe = protocol::ProbedLink;

struct GroupProbe {
  std::vector<RankProbe> ranks;  // by rank
  std::vector<LinkProbe> links;  // every pair, by lower, then upper
};

// By all ranks together; all get the same. Errors of the communicator, which a pair that cannot be
// reached does not cause.
Result<GroupProbe> ProbeGroup(Communicator& communicator, const ProbeOptions& options);

enum class Severity { kNote, kWarning, kError };
struct Advice {
  Severity severity = Severity::kNote;
  std::string code;      // stable, lower_snake_case: "shm_small"
  std::string found;     // "rank 1 (host b) has 64 MB of /dev/shm"
  std::string expected;  // "1 GB, because NCCL passes data between ranks of a machine through it"
  // "docker run --shm-size=1g; in Kubernetes an emptyDir of medium Memory at /dev/shm"
  std::string action;
};
// What is worth doing, the worst first. Looks at nothing but `probe`.
std::vector<Advice> Advise(const GroupProbe& probe);

}  // namespace emend::worker::collective
