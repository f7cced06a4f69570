// What Advise() says: one rule a function, each looking at the whole probe.
#include <algorithm>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>

#include "worker/collective/probe.h"

namespace emend::worker::collective {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;
constexpr std::uint64_t kShmBytesMin = 1000 * kMegabyte;
constexpr std::uint64_t kFreeBytesMin = 2000 * kMegabyte;
constexpr double kSlowShare = 0.4;    // of the median of the same kind of link
constexpr double kSlowLatency = 5;    // times the median
constexpr double kSlowNetwork = 0.1;  // GB/s

std::string NameOf(const RankProbe& rank) {
  return "rank " + std::to_string(rank.rank) + " (" + rank.host_name + ")";
}
std::string Megabytes(std::uint64_t bytes) { return std::to_string(bytes / kMegabyte) + " MB"; }
std::string Short(double value) {
  std::ostringstream text;
  text << std::setprecision(3) << value;
  return text.str();
}

std::map<std::string, std::vector<const RankProbe*>> ByHost(const GroupProbe& probe) {
  std::map<std::string, std::vector<const RankProbe*>> hosts;
  for (const RankProbe& rank : probe.ranks) hosts[rank.host_name].push_back(&rank);
  return hosts;
}

void Reachability(const GroupProbe& probe, std::vector<Advice>& advice) {
  for (const LinkProbe& link : probe.links) {
    if (link.reached) continue;
    advice.push_back({Severity::kError, "unreachable",
                      "ranks " + std::to_string(link.lower) + " and " + std::to_string(link.upper) +
                          " do not reach each other: " + link.why_not,
                      "every rank reaches every other on any port above 1024",
                      "give each rank, by --host, an address of the network between them; open "
                      "that network's firewall or network policy for the group"});
  }
}

void Interfaces(const GroupProbe& probe, std::vector<Advice>& advice) {
  const auto hosts = ByHost(probe);
  for (const RankProbe& rank : probe.ranks) {
    if (rank.interface.empty()) {
      advice.push_back({Severity::kWarning, "address_not_here",
                        NameOf(rank) + " is to be reached at " + rank.address +
                            ", which is on none of its interfaces",
                        "an address of the machine, unless it is translated on the way",
                        "set --host or EMEND_HOST to an address that `ip address` lists"});
    }
    if (rank.is_loopback && hosts.size() > 1) {
      advice.push_back(
          {Severity::kError, "loopback_between_hosts",
           NameOf(rank) + " says " + rank.address + ", which only its own machine reaches",
           "an address that the other machines reach", "set --host or EMEND_HOST"});
    }
  }
  for (const auto& [host, ranks] : hosts) {
    const auto outside = std::ranges::find_if(ranks, [](const RankProbe* rank) {
      return !rank->is_loopback && !rank->interface.empty();
    });
    if (hosts.size() > 1 || ranks.size() < 2 || outside == ranks.end()) continue;
    advice.push_back({Severity::kNote, "loopback_would_do",
                      "all ranks are on " + host + ", and " + NameOf(**outside) + " listens on " +
                          (*outside)->interface,
                      "the loopback interface, which nobody else reaches", "set --host 127.0.0.1"});
  }
}

void SlowLinks(const GroupProbe& probe, std::vector<Advice>& advice) {
  // Links within a machine and between machines have measures of their own.
  std::map<bool, std::vector<const LinkProbe*>> kinds;
  const auto host_of = [&](std::int32_t rank) {
    return probe.ranks.at(static_cast<std::size_t>(rank)).host_name;
  };
  for (const LinkProbe& link : probe.links) {
    if (link.reached) kinds[host_of(link.lower) == host_of(link.upper)].push_back(&link);
  }
  const auto median = [](const std::vector<const LinkProbe*>& links, double LinkProbe::* figure) {
    std::vector<double> values;
    for (const LinkProbe* link : links) values.push_back(link->*figure);
    std::ranges::nth_element(values,
                             values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
  };
  for (const auto& [within, links] : kinds) {
    if (links.size() < 3) continue;
    const double speed = median(links, &LinkProbe::gigabytes_per_second),
                 latency = median(links, &LinkProbe::latency_us);
    for (const LinkProbe* link : links) {
      const std::string pair =
          "between ranks " + std::to_string(link->lower) + " and " + std::to_string(link->upper);
      if (link->gigabytes_per_second < kSlowShare * speed) {
        advice.push_back(
            {Severity::kWarning, "slow_link",
             pair + " " + Short(link->gigabytes_per_second) + " GB/s",
             "about the median of the group's links of this kind, " + Short(speed) + " GB/s",
             "look for a busy machine, another interface or a slower port there; a group is as "
             "fast as its slowest link"});
      } else if (link->latency_us > kSlowLatency * latency) {
        advice.push_back(
            {Severity::kWarning, "slow_link",
             pair + " " + Short(link->latency_us) + " us there and back",
             "about the median of the group's links of this kind, " + Short(latency) + " us",
             "look for a busy machine or a longer way there"});
      }
    }
    if (!within && speed < kSlowNetwork) {
      advice.push_back({Severity::kWarning, "slow_network",
                        "a median of " + Short(speed) + " GB/s between machines",
                        "10 Gbit/s (1.2 GB/s) or more",
                        "keep the ranks of a group on one machine, or on a faster network"});
    }
  }
}

void Nccl(const GroupProbe& probe, std::vector<Advice>& advice) {
  std::set<std::string> versions;
  for (const RankProbe& rank : probe.ranks) {
    const bool is_cuda = rank.device.starts_with("cuda");
    if (!rank.nccl_version.empty()) versions.insert(rank.nccl_version);
    if (is_cuda && rank.nccl_version.empty()) {
      advice.push_back({rank.over_nccl ? Severity::kError : Severity::kWarning, "nccl_missing",
                        NameOf(rank) + " has no usable NCCL: " + rank.nccl_missing,
                        "NCCL " + NcclVersionText(kNcclVersionMin) + " or newer",
                        "pip install nvidia-nccl-cu13 beside torch, or ./dev build --cuda"});
    }
    if (rank.over_nccl && rank.shm_bytes < kShmBytesMin) {
      advice.push_back(
          {Severity::kWarning, "shm_small",
           NameOf(rank) + " has " + Megabytes(rank.shm_bytes) + " of /dev/shm",
           "1000 MB: NCCL passes data between the ranks of a machine through it",
           "docker run --shm-size=1g; in Kubernetes an emptyDir with medium: Memory at /dev/shm"});
    }
  }
  if (versions.size() > 1) {
    std::string list;
    for (const std::string& version : versions) list += (list.empty() ? "" : ", ") + version;
    advice.push_back({Severity::kError, "nccl_versions_differ", "the ranks have NCCL " + list,
                      "one version: others do not form a group with each other",
                      "install the same image or the same nvidia-nccl-cu13 everywhere"});
  }
  std::set<std::string> kinds;
  for (const RankProbe& rank : probe.ranks)
    kinds.insert(rank.device.substr(0, rank.device.find(':')));
  if (kinds.size() > 1) {
    advice.push_back({Severity::kError, "devices_differ",
                      "some ranks compute on the CPU, some on a GPU",
                      "one kind of device in a group", "start all ranks with the same --device"});
  }
}

void Resources(const GroupProbe& probe, std::vector<Advice>& advice) {
  for (const auto& [host, ranks] : ByHost(probe)) {
    std::int64_t threads = 0;
    std::int32_t cores = 0;
    for (const RankProbe* rank : ranks) {
      threads += rank->threads;
      cores = std::max(cores, rank->cores);
    }
    if (cores > 0 && threads > cores && ranks.size() > 1) {
      advice.push_back(
          {Severity::kWarning, "threads_exceed_cores",
           std::to_string(ranks.size()) + " ranks on " + host + " compute with " +
               std::to_string(threads) + " threads on " + std::to_string(cores) + " cores",
           "no more threads than cores",
           "start each rank with --threads " +
               std::to_string(
                   std::max<std::int64_t>(1, cores / static_cast<std::int64_t>(ranks.size()))) +
               ", and OMP_WAIT_POLICY=PASSIVE"});
    }
    const std::uint64_t free = ranks.front()->memory_free;
    if (free < kFreeBytesMin) {
      advice.push_back(
          {Severity::kWarning, "memory_low", host + " has " + Megabytes(free) + " of memory left",
           "2000 MB, and what the model's parts need",
           "stop what else runs there, or take more machines or ranks: each holds its share"});
    }
  }
}

}  // namespace

std::vector<Advice> Advise(const GroupProbe& probe) {
  std::vector<Advice> advice;
  for (const auto rule : {&Reachability, &Interfaces, &SlowLinks, &Nccl, &Resources})
    rule(probe, advice);
  std::ranges::stable_sort(advice, std::ranges::greater(), &Advice::severity);
  return advice;
}

}  // namespace emend::worker::collective
