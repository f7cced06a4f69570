// What `emend doctor` asks of a group. Part of messages.h.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace emend::worker::protocol {

// Say what each rank is like and how the ranks reach each other (worker/collective/probe.h, where
// the fields are explained).
struct ProbeRanks {
  using Reply = struct ProbeRanksReply;
  static auto Fields(auto&) { return std::tie(); }
  friend bool operator==(const ProbeRanks&, const ProbeRanks&) = default;
};
struct ProbedRank {
  std::int32_t rank = 0;
  std::string host_name;
  std::string address;
  std::string interface;
  std::string device;
  bool over_nccl = false;
  std::string nccl_version;
  std::string nccl_missing;
  std::int32_t threads = 0;
  std::int32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_free = 0;
  std::uint64_t shm_bytes = 0;
  std::uint64_t shm_free = 0;
  static auto Fields(auto& m) {
    return std::tie(m.rank, m.host_name, m.address, m.interface, m.device, m.over_nccl,
                    m.nccl_version, m.nccl_missing, m.threads, m.cores, m.memory_bytes,
                    m.memory_free, m.shm_bytes, m.shm_free);
  }
  friend bool operator==(const ProbedRank&, const ProbedRank&) = default;
};
struct ProbedLink {
  std::int32_t lower = 0;
  std::int32_t upper = 0;
  bool reached = false;
  std::string why_not;
  double latency_us = 0;
  double gigabytes_per_second = 0;
  static auto Fields(auto& m) {
    return std::tie(m.lower, m.upper, m.reached, m.why_not, m.latency_us, m.gigabytes_per_second);
  }
  friend bool operator==(const ProbedLink&, const ProbedLink&) = default;
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
  friend bool operator==(const ProbeAdvice&, const ProbeAdvice&) = default;
};
struct ProbeRanksReply {
  std::vector<ProbedRank> ranks;
  std::vector<ProbedLink> links;
  std::vector<ProbeAdvice> advice;  // the worst first
  static auto Fields(auto& m) { return std::tie(m.ranks, m.links, m.advice); }
  friend bool operator==(const ProbeRanksReply&, const ProbeRanksReply&) = default;
};

}  // namespace emend::worker::protocol
