// How a test makes the stand-in for NCCL (fake_nccl.cc) fail. The library is opened, never linked:
// its functions are called as NCCL's and CUDA's are, and would come before those. Thread-safe.
//
//   const FakeNccl fake(EMEND_TEST_NCCL);
//   fake.fail(/*rank=*/1, NcclFault::kHang);
#pragma once

#include <dlfcn.h>

#include <string>

#include "storage/base/check.h"

namespace emend::test {

enum class NcclFault : int {
  kNone = 0,
  kHang = 1,         // its calls are taken, and never come to an end
  kRemoteError = 2,  // NCCL reports ncclRemoteError instead of an end
  kRefusal = 3,      // calls return ncclInternalError at once
  kCudaError = 4,    // the stream fails, and what is on it never comes to an end
  kInitHang = 5,     // the rank never gets into its group
  kDuplicateGpu = 6  // forming the group ends with what NCCL says of two ranks on one GPU
};

struct FakeNccl {
  explicit FakeNccl(const char* path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    Take("emend_fake_nccl_fail", fail);
    Take("emend_fake_nccl_version", version);
    Take("emend_fake_nccl_version_here", version_here);
    Take("emend_fake_nccl_open", open);
    Take("emend_fake_nccl_calls", calls);
  }

  template <typename Function>
  void Take(const char* name, Function& function) {
    function = handle == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(handle, name));
    EMEND_CHECK(function != nullptr, std::string("the stand-in for NCCL has no ") + name);
  }

  void* const handle;
  void (*fail)(int rank, NcclFault fault) = nullptr;  // from now on, on this rank of every group
  void (*version)(int version) = nullptr;             // what ncclGetVersion tells
  // on the calling thread alone; 0: as everywhere
  void (*version_here)(int version) = nullptr;
  int (*open)() = nullptr;   // communicators made and not aborted
  int (*calls)() = nullptr;  // collectives begun
};

}  // namespace emend::test
