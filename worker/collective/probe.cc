#include "worker/collective/probe.h"

#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <span>
#include <utility>

#include "storage/base/archive.h"
#include "worker/collective/exchange.h"
#include "worker/collective/line.h"

namespace emend::worker::collective {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kReachWithin = 1s;
constexpr auto kMeasureWithin = 2s;
constexpr int kLatencyCalls = 20;
constexpr int kBandwidthCalls = 3;
constexpr std::size_t kBandwidthBytes = std::size_t{4} << 20;

// ---- one rank ----------------------------------------------------------------------------------

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* const bytes =
      address.sa_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return inet_ntop(address.sa_family, bytes, text, sizeof(text)) == nullptr ? "" : text;
}

void FindInterface(RankProbe& probe) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    const bool is_internet = each->ifa_addr != nullptr && (each->ifa_addr->sa_family == AF_INET ||
                                                           each->ifa_addr->sa_family == AF_INET6);
    if (!is_internet || AddressText(*each->ifa_addr) != probe.address) continue;
    probe.interface = each->ifa_name;
    probe.is_loopback = (each->ifa_flags & IFF_LOOPBACK) != 0;
    break;
  }
  freeifaddrs(first);
}

// The first words of a file, as numbers; none of what is not one ("max").
std::vector<std::uint64_t> NumbersIn(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

// Of the machine, or of the container if that has less.
std::uint64_t FreeMemory() {
  std::uint64_t free = 0;
  std::ifstream info("/proc/meminfo");
  std::string name;
  for (std::uint64_t kilobytes = 0; info >> name >> kilobytes; info.ignore(80, '\n')) {
    if (name == "MemAvailable:") free = kilobytes * 1024;
  }
  const auto limit = NumbersIn("/sys/fs/cgroup/memory.max"),
             used = NumbersIn("/sys/fs/cgroup/memory.current");
  if (limit.empty() || used.empty()) return free;
  return std::min(free, limit[0] - std::min(limit[0], used[0]));
}

std::int32_t Cores() {
  cpu_set_t allowed;
  const std::int32_t cores =
      sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
  const auto quota = NumbersIn("/sys/fs/cgroup/cpu.max");  // microseconds of computing in so many
  if (quota.size() < 2 || quota[1] == 0) return cores;
  return std::clamp(static_cast<std::int32_t>(quota[0] / quota[1]), 1, cores);
}

RankProbe ProbeRank(int rank, const ProbeOptions& options) {
  RankProbe probe;
  probe.rank = rank;
  probe.host_name = HostName();
  probe.address = options.host;
  FindInterface(probe);
  probe.device = options.device;
  probe.over_nccl = options.over_nccl;
  const auto nccl = NcclLibrary::Open(options.nccl);
  if (nccl.ok()) probe.nccl_version = (*nccl)->version();
  if (!nccl.ok()) probe.nccl_missing = nccl.status().message();
  probe.threads = options.threads;
  probe.cores = Cores();
  struct sysinfo machine{};
  if (sysinfo(&machine) == 0)
    probe.memory_bytes = std::uint64_t{machine.totalram} * machine.mem_unit;
  probe.memory_free = FreeMemory();
  struct statvfs shm{};
  if (statvfs("/dev/shm", &shm) == 0) {
    probe.shm_bytes = std::uint64_t{shm.f_blocks} * shm.f_frsize;
    probe.shm_free = std::uint64_t{shm.f_bavail} * shm.f_frsize;
  }
  return probe;
}

// ---- pairs -------------------------------------------------------------------------------------

// The circle method: in round r of n − 1 (n even) everybody has another partner, and after all
// rounds has had everyone. −1: a break.
int PartnerOf(int rank, int round, int size) {
  const int seats = size + size % 2, last = seats - 1;
  int partner = 0;
  if (rank == last) {
    partner = round;
  } else if (rank == round) {
    partner = last;
  } else {
    partner = (2 * round - rank + 2 * last) % last;
  }
  return partner < size ? partner : -1;
}

void Forget(std::span<const std::uint8_t>, std::span<std::uint8_t>) {}

double SecondsOf(const Clock::time_point& begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Status MeasureLink(Line& line, LinkProbe& link) {
  std::vector<std::uint8_t> word(8), data(kBandwidthBytes);
  const LineCall small{
      .name = "probe_latency", .operation = 1, .type = 1, .elements = 1, .element_bytes = 8};
  const LineCall large{.name = "probe_bandwidth",
                       .operation = 2,
                       .type = 1,
                       .elements = kBandwidthBytes,
                       .element_bytes = 1,
                       .root = 0};
  EMEND_RETURN_IF_ERROR(line.AllReduce(word, small, Forget));
  const Clock::time_point first = Clock::now();
  for (int call = 0; call < kLatencyCalls; ++call)
    EMEND_RETURN_IF_ERROR(line.AllReduce(word, small, Forget));
  link.latency_us = SecondsOf(first) * 1e6 / kLatencyCalls;
  EMEND_RETURN_IF_ERROR(line.Broadcast(data, large));
  const Clock::time_point second = Clock::now();
  for (int call = 0; call < kBandwidthCalls; ++call)
    EMEND_RETURN_IF_ERROR(line.Broadcast(data, large));
  EMEND_RETURN_IF_ERROR(line.AllReduce(word, small, Forget));  // all of it has arrived
  link.gigabytes_per_second =
      static_cast<double>(kBandwidthBytes) * kBandwidthCalls / SecondsOf(second) / 1e9;
  return OkStatus();
}

// Both ranks of a pair call this.
LinkProbe ProbeLink(int rank, int partner, Result<std::unique_ptr<LinePort>> port,
                    const std::string& own_address, const std::string& other,
                    const std::string& secret) {
  LinkProbe link{.lower = std::min(rank, partner),
                 .upper = std::max(rank, partner),
                 .reached = false,
                 .why_not = "",
                 .latency_us = 0,
                 .gigabytes_per_second = 0};
  Status status = port.status();
  if (status.ok() && other.empty())
    status = Unavailable("rank " + std::to_string(partner) + " could not open a port");
  if (status.ok()) {
    const bool is_lower = rank < partner;
    LineOptions options{.rank = is_lower ? 0 : 1,
                        .size = 2,
                        .generation = 1,
                        .secret = secret,
                        .addresses = {own_address, other}};
    if (!is_lower) std::swap(options.addresses[0], options.addresses[1]);
    options.join_timeout = kReachWithin;
    options.call_timeout = kMeasureWithin;
    auto line = Line::Join(std::move(*port), std::move(options));
    status = line.ok() ? MeasureLink(**line, link) : line.status();
  }
  link.reached = status.ok();
  if (!status.ok())
    link.why_not = "rank " + std::to_string(rank) + " to " + (other.empty() ? "nowhere" : other) +
                   ": " + status.message();
  return link;
}

Result<std::string> GroupSecret(Communicator& communicator) {
  std::random_device random;
  std::string secret;
  for (int word = 0; word < 4; ++word) secret += std::to_string(random()) + ".";
  return BroadcastBytes(communicator, secret, /*root=*/0);
}

// What one rank tells the others.
struct OwnProbe {
  RankProbe rank;
  std::vector<LinkProbe> links;  // that it is the lower end of
  static auto Fields(auto& m) { return std::tie(m.rank, m.links); }
};

// The links that this rank is the lower end of.
Result<std::vector<LinkProbe>> ProbeLinks(Communicator& communicator, const ProbeOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string secret, GroupSecret(communicator));
  const int rank = communicator.rank(), size = communicator.size();
  std::vector<LinkProbe> links;
  for (int round = 0; round < size + size % 2 - 1; ++round) {
    auto port = LinePort::Open(options.host);
    const std::string own = port.ok() ? (*port)->address() : "";
    EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> addresses,
                           AllGatherBytes(communicator, own));
    const int partner = PartnerOf(rank, round, size);
    if (partner < 0) continue;
    LinkProbe link =
        ProbeLink(rank, partner, std::move(port), own, addresses[static_cast<std::size_t>(partner)],
                  secret + std::to_string(round));
    if (rank < partner) links.push_back(std::move(link));
  }
  return links;
}

}  // namespace

Result<GroupProbe> ProbeGroup(Communicator& communicator, const ProbeOptions& options) {
  OwnProbe own{.rank = ProbeRank(communicator.rank(), options), .links = {}};
  if (communicator.size() > 1) {
    EMEND_ASSIGN_OR_RETURN(own.links, ProbeLinks(communicator, options));
  }
  Encoder out;
  WriteFields(out, own);
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                         AllGatherBytes(communicator, out.bytes()));
  GroupProbe group;
  for (const std::string& bytes : all) {
    Decoder in(bytes);
    OwnProbe one;
    ReadFields(in, one);
    EMEND_RETURN_IF_ERROR(in.Finish());
    group.ranks.push_back(std::move(one.rank));
    group.links.insert(group.links.end(), one.links.begin(), one.links.end());
  }
  std::ranges::sort(group.links, {},
                    [](const LinkProbe& link) { return std::pair(link.lower, link.upper); });
  return group;
}

}  // namespace emend::worker::collective
