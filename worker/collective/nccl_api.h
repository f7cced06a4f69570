// The few functions of NCCL and of the CUDA runtime that the NCCL back end calls, found at run
// time: neither is needed to build, and a worker without a GPU never opens them. Declared here
// after NCCL's and CUDA's public C interfaces; the values are theirs.
//
//   // libnccl.so.2 and libcudart.so.13, as the loader finds them
//   EMEND_ASSIGN_OR_RETURN(const auto library, NcclLibrary::Open({}));
//   int state = library->nccl().get_async_error(communicator, &state);
//
// Thread-safe once open. A library stays open until the process ends: both have threads of their
// own.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>

#include "storage/base/status.h"

namespace emend::worker::collective {

// The oldest that a torch wheel of this year brings (2.10 for CUDA 12); another major version may
// have another interface.
constexpr int kNcclMajor = 2;
constexpr int kNcclVersionMin = 22700;

enum class NcclResult : int {
  kSuccess = 0,
  kSystemError = 2,
  kInternalError = 3,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7
};
enum class NcclType : int { kInt64 = 4, kFloat32 = 7, kFloat64 = 8 };
enum class NcclReduction : int { kSum = 0, kMax = 2 };
using NcclComm = void*;
using CudaStream = void*;

struct NcclId {
  std::array<char, 128> bytes;
};

// As of 2.18. NCCL takes as much as `size` says and what `version` knew of; newer fields keep their
// defaults.
struct NcclConfig {
  static constexpr int kUndefined = std::numeric_limits<int>::min();
  std::size_t size = sizeof(NcclConfig);
  unsigned int magic = 0xcafebeef;
  unsigned int version = 21800;
  int blocking = kUndefined;
  int cga_cluster_size = kUndefined;
  int ctas_min = kUndefined;
  int ctas_max = kUndefined;
  const char* net_name = nullptr;
  int split_share = kUndefined;
};

struct NcclFunctions {
  NcclResult (*get_version)(int* version) = nullptr;
  NcclResult (*get_unique_id)(NcclId* id) = nullptr;
  NcclResult (*init_rank)(NcclComm* made, int ranks, NcclId id, int rank,
                          NcclConfig* config) = nullptr;
  NcclResult (*get_async_error)(NcclComm, NcclResult* state) = nullptr;
  NcclResult (*abort)(NcclComm) = nullptr;
  const char* (*get_error_string)(NcclResult) = nullptr;
  const char* (*get_last_error)(NcclComm) = nullptr;
  NcclResult (*all_reduce)(const void* send, void* receive, std::size_t count, NcclType,
                           NcclReduction, NcclComm, CudaStream) = nullptr;
  NcclResult (*broadcast)(const void* send, void* receive, std::size_t count, NcclType, int root,
                          NcclComm, CudaStream) = nullptr;
  NcclResult (*all_gather)(const void* send, void* receive, std::size_t send_count, NcclType,
                           NcclComm, CudaStream) = nullptr;
  NcclResult (*reduce_scatter)(const void* send, void* receive, std::size_t receive_count, NcclType,
                               NcclReduction, NcclComm, CudaStream) = nullptr;
};

constexpr int kCudaSuccess = 0;
constexpr int kCudaNotReady = 600;
struct CudaFunctions {
  int (*set_device)(int device) = nullptr;
  int (*stream_query)(CudaStream) = nullptr;
  const char* (*get_error_string)(int error) = nullptr;
};

struct NcclPaths {
  std::string nccl = "libnccl.so.2";
  std::string cuda_runtime = "libcudart.so.13";
};

class NcclLibrary {
 public:
  // kFailedPrecondition ("nccl_missing") names the library or function that was not found,
  // kUnsupported ("nccl_version") what was found and what is expected.
  static Result<std::shared_ptr<const NcclLibrary>> Open(const NcclPaths& paths);

  const NcclFunctions& nccl() const { return nccl_; }
  const CudaFunctions& cuda() const { return cuda_; }
  // "2.28.9"
  const std::string& version() const { return version_; }

 private:
  NcclLibrary() = default;
  Status Find(const NcclPaths& paths);

  NcclFunctions nccl_;
  CudaFunctions cuda_;
  std::string version_;
};

// "2.28.9" of NCCL's number 22809.
std::string NcclVersionText(int version);

}  // namespace emend::worker::collective
