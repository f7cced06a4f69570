// A stand-in for NCCL and the CUDA runtime: the same C functions over host memory, for ranks that
// are threads of one process. Like a non-blocking communicator it takes a call first and has it
// done later, when it is asked for its state; a call is done once all ranks have made it, in rank
// order.
#include "tests/worker/collective/fake_nccl.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace {

using emend::test::NcclFault;

// Values of nccl.h and of CUDA's driver_types.h.
constexpr int kSuccess = 0, kInternalError = 3, kInvalidArgument = 4, kInvalidUsage = 5,
              kRemoteError = 6, kInProgress = 7;
constexpr int kInt64 = 4, kFloat32 = 7, kFloat64 = 8;
constexpr int kMaximum = 2;
constexpr int kCudaSuccess = 0, kCudaNotReady = 600, kCudaIllegalAddress = 700;

enum class Kind { kAllReduce, kBroadcast, kAllGather, kReduceScatter };

struct Call {
  Kind kind;
  const void* send;
  void* receive;
  std::size_t count;
  int type;
  int detail;  // reduction or root
};

struct Group {
  int size = 0;
  int joined = 0;
  std::vector<std::map<int, Call>> calls;  // by sequence, by rank
  std::size_t done = 0;
  bool broken = false;  // a rank has aborted, and its memory is gone
};

struct Comm {
  std::shared_ptr<Group> group;
  int rank = 0;
  std::size_t made = 0;  // calls
  int looks_left = 0;    // until the call is taken
  bool waiting = false;  // a call has been made and is not taken yet
  Call next{};
};

std::mutex mutex;  // guards all below
std::map<std::int64_t, std::shared_ptr<Group>> groups;
std::map<int, NcclFault> faults;
std::int64_t next_group = 1;
int version_everywhere = 22809;
int open_count = 0;
int call_count = 0;
thread_local int version_here = 0;
thread_local Comm* last_used = nullptr;  // whose calls are on this thread's stream
thread_local const char* last_error = "";

NcclFault FaultOf(const Comm& comm) {
  const auto found = faults.find(comm.rank);
  return found == faults.end() ? NcclFault::kNone : found->second;
}

std::size_t BytesOf(int type) { return type == kFloat32 ? 4 : 8; }

template <typename T>
void Reduce(const std::map<int, Call>& calls, std::size_t begin, std::size_t count, bool is_maximum,
            std::vector<std::uint8_t>& out) {
  std::vector<T> values(count);
  for (const auto& [from, call] : calls) {
    const T* own = static_cast<const T*>(call.send) + begin;
    for (std::size_t i = 0; i < count; ++i)
      values[i] = from == 0    ? own[i]
                  : is_maximum ? std::max(values[i], own[i])
                               : values[i] + own[i];
  }
  out.resize(count * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
}

// What `rank` receives.
std::vector<std::uint8_t> ResultOf(const std::map<int, Call>& calls, int rank) {
  const Call& call = calls.at(rank);
  const std::size_t bytes = call.count * BytesOf(call.type);
  std::vector<std::uint8_t> out;
  if (call.kind == Kind::kBroadcast) {
    const auto* from = static_cast<const std::uint8_t*>(calls.at(call.detail).send);
    out.assign(from, from + bytes);
  } else if (call.kind == Kind::kAllGather) {
    for (const auto& [source, one] : calls)
      out.insert(out.end(), static_cast<const std::uint8_t*>(one.send),
                 static_cast<const std::uint8_t*>(one.send) + bytes);
  } else {
    const std::size_t begin =
        call.kind == Kind::kReduceScatter ? call.count * static_cast<std::size_t>(rank) : 0;
    const bool is_maximum = call.detail == kMaximum;
    if (call.type == kFloat32) Reduce<float>(calls, begin, call.count, is_maximum, out);
    if (call.type == kFloat64) Reduce<double>(calls, begin, call.count, is_maximum, out);
    if (call.type == kInt64) Reduce<std::int64_t>(calls, begin, call.count, is_maximum, out);
  }
  return out;
}

// The call is with its peers; with the last of them all are done.
void Take(Comm& comm) {
  Group& group = *comm.group;
  if (group.calls.size() < comm.made) group.calls.resize(comm.made);
  std::map<int, Call>& calls = group.calls[comm.made - 1];
  calls.emplace(comm.rank, comm.next);
  comm.waiting = false;
  if (static_cast<int>(calls.size()) < group.size || group.broken) return;
  std::map<int, std::vector<std::uint8_t>> results;
  for (const auto& [rank, call] : calls) results[rank] = ResultOf(calls, rank);
  for (const auto& [rank, call] : calls)
    std::memcpy(call.receive, results[rank].data(), results[rank].size());
  ++group.done;
}

int Begin(void* handle, const Call& call) {
  const std::lock_guard lock(mutex);
  Comm& comm = *static_cast<Comm*>(handle);
  ++call_count;
  if (FaultOf(comm) == NcclFault::kRefusal) {
    last_error = "told to refuse";
    return kInternalError;
  }
  ++comm.made;
  comm.next = call;
  comm.waiting = true;
  comm.looks_left = 2;
  last_used = &comm;
  return kInProgress;
}

}  // namespace

extern "C" {

struct FakeId {
  char bytes[128];
};
struct FakeConfig {
  std::size_t size;
  unsigned int magic;
  unsigned int version;
  int blocking;
};

void emend_fake_nccl_fail(int rank, NcclFault fault) {
  const std::lock_guard lock(mutex);
  faults[rank] = fault;
}
void emend_fake_nccl_version(int version) {
  const std::lock_guard lock(mutex);
  version_everywhere = version;
}
void emend_fake_nccl_version_here(int version) { version_here = version; }
int emend_fake_nccl_open() {
  const std::lock_guard lock(mutex);
  return open_count;
}
int emend_fake_nccl_calls() {
  const std::lock_guard lock(mutex);
  return call_count;
}

int ncclGetVersion(int* version) {
  const std::lock_guard lock(mutex);
  *version = version_here != 0 ? version_here : version_everywhere;
  return kSuccess;
}

int ncclGetUniqueId(FakeId* id) {
  const std::lock_guard lock(mutex);
  std::memset(id, 0, sizeof(*id));
  std::memcpy(id->bytes, &next_group, sizeof(next_group));
  ++next_group;
  return kSuccess;
}

int ncclCommInitRankConfig(void** made, int ranks, FakeId id, int rank, FakeConfig* config) {
  if (config->magic != 0xcafebeef || config->blocking != 0 || config->size < sizeof(FakeConfig))
    return kInvalidArgument;
  const std::lock_guard lock(mutex);
  std::int64_t number = 0;
  std::memcpy(&number, id.bytes, sizeof(number));
  std::shared_ptr<Group>& group = groups[number];
  if (!group)
    group = std::make_shared<Group>(
        Group{.size = ranks, .joined = 0, .calls = {}, .done = 0, .broken = false});
  auto* const comm = new Comm{.group = group, .rank = rank};
  if (FaultOf(*comm) != NcclFault::kInitHang) ++group->joined;
  ++open_count;
  *made = comm;
  return kInProgress;
}

int ncclCommGetAsyncError(void* handle, int* state) {
  const std::lock_guard lock(mutex);
  Comm& comm = *static_cast<Comm*>(handle);
  const NcclFault fault = FaultOf(comm);
  *state = kSuccess;
  last_error = "";
  if (fault == NcclFault::kDuplicateGpu) {
    last_error = "Duplicate GPU detected : rank 0 and rank 1 both on CUDA device 45000";
    *state = kInvalidUsage;
  } else if (comm.group->joined < comm.group->size || (comm.waiting && comm.looks_left-- > 0)) {
    *state = kInProgress;
  } else if (comm.waiting && fault == NcclFault::kRemoteError) {
    last_error = "told to lose its peer";
    *state = kRemoteError;
  } else if (comm.waiting && fault != NcclFault::kHang && fault != NcclFault::kCudaError) {
    Take(comm);
  }
  return kSuccess;
}

int ncclCommAbort(void* handle) {
  const std::lock_guard lock(mutex);
  --open_count;
  auto* const comm = static_cast<Comm*>(handle);
  comm->group->broken = true;
  if (last_used == comm) last_used = nullptr;
  delete comm;
  return kSuccess;
}

const char* ncclGetErrorString(int result) {
  switch (result) {
    case kInternalError: return "internal error";
    case kInvalidArgument: return "invalid argument";
    case kInvalidUsage: return "invalid usage";
    case kRemoteError: return "remote process exited or there was a network error";
    default: return "no error";
  }
}
const char* ncclGetLastError(void*) { return last_error; }

int ncclAllReduce(const void* send, void* receive, std::size_t count, int type, int reduction,
                  void* comm, void*) {
  return Begin(comm, {Kind::kAllReduce, send, receive, count, type, reduction});
}
int ncclBroadcast(const void* send, void* receive, std::size_t count, int type, int root,
                  void* comm, void*) {
  return Begin(comm, {Kind::kBroadcast, send, receive, count, type, root});
}
int ncclAllGather(const void* send, void* receive, std::size_t count, int type, void* comm, void*) {
  return Begin(comm, {Kind::kAllGather, send, receive, count, type, 0});
}
int ncclReduceScatter(const void* send, void* receive, std::size_t count, int type, int reduction,
                      void* comm, void*) {
  return Begin(comm, {Kind::kReduceScatter, send, receive, count, type, reduction});
}

int cudaSetDevice(int) { return kCudaSuccess; }
int cudaStreamQuery(void*) {
  const std::lock_guard lock(mutex);
  if (last_used == nullptr) return kCudaSuccess;
  if (FaultOf(*last_used) == NcclFault::kCudaError) return kCudaIllegalAddress;
  return last_used->group->done >= last_used->made ? kCudaSuccess : kCudaNotReady;
}
const char* cudaGetErrorString(int error) {
  return error == kCudaIllegalAddress ? "an illegal memory access was encountered" : "no error";
}

}  // extern "C"
