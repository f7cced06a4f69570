// What `emend doctor` asks of a group. Part of messages.h.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

// Say what each rank is like and how the ranks reach each other (worker/collective/probe.h).
struct ProbeRanks {
  using Reply = struct ProbeRanksReply;
  static auto Fields(auto&) { return std::tie(); }
};
struct ProbedRank {
  std::int32_t rank = 0;
  std::string host_name;
  std::string address;    // as given
  std::string interface;  // that has the address, "lo", "eth0"; empty: none
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
  static auto Fields(auto& m) {
    return std::tie(m.rank, m.host_name, m.address, m.interface, m.device, m.over_nccl,
                    m.nccl_version, m.nccl_missing, m.threads, m.cores, m.memory_bytes,
                    m.memory_free, m.shm_bytes, m.shm_free);
  }
};
// Two ranks, tried directly.
struct ProbedLink {
  std::int32_t lower = 0;
  std::int32_t upper = 0;
  bool reached = false;
  std::string why_not;              // empty if reached
  double latency_us = 0;            // 8 bytes there and back
  double gigabytes_per_second = 0;  // 4 MB, one way
  static auto Fields(auto& m) {
    return std::tie(m.lower, m.upper, m.reached, m.why_not, m.latency_us, m.gigabytes_per_second);
  }
};
struct ProbeAdvice {
  std::string severity;  // "note", "warning", "error"
  std::string code;
  std::string found;
  std::string expected;
  std::string action;
  static auto Fields(auto& m) {
    return std::tie(m.severity, m.code, m.found, m.expected, m.action);
  }
};
struct ProbeRanksReply {
  std::vector<ProbedRank> ranks;    // by rank
  std::vector<ProbedLink> links;    // every pair, by lower, then upper
  std::vector<ProbeAdvice> advice;  // the worst first
  static auto Fields(auto& m) { return std::tie(m.ranks, m.links, m.advice); }
};

}  // namespace emend::worker::protocol
