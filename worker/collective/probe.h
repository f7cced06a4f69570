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

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "worker/collective/communicator.h"
#include "worker/collective/nccl_api.h"

namespace emend::worker::collective {

struct ProbeOptions {
  std::string host = "127.0.0.1";  // the address at which the other ranks reach this one
  std::string device = "cpu";
  int threads = 1;         // that compute
  bool over_nccl = false;  // the group moves tensors by NCCL
  NcclPaths nccl = {};
};

struct RankProbe {
  std::int32_t rank = 0;
  std::string host_name;
  std::string address;       // as given
  std::string interface;     // that has the address, "lo", "eth0"; empty: none
  bool is_loopback = false;  // the interface
  std::string device;
  bool over_nccl = false;
  std::string nccl_version;  // "2.28.9"; empty: nccl_missing says why
  std::string nccl_missing;
  std::int32_t threads = 0;
  std::int32_t cores = 0;          // that the process may use
  std::uint64_t memory_bytes = 0;  // of the machine
  std::uint64_t memory_free = 0;   // that a program can still get
  std::uint64_t shm_bytes = 0;     // of /dev/shm; 0: there is none
  std::uint64_t shm_free = 0;
};

// Two ranks, tried directly.
struct LinkProbe {
  std::int32_t lower = 0;
  std::int32_t upper = 0;
  bool reached = false;
  std::string why_not;              // empty if reached
  double latency_us = 0;            // 8 bytes there and back
  double gigabytes_per_second = 0;  // 4 MB, one way
};

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
