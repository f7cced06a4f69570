#include "worker/collective/nccl_api.h"

#include <dlfcn.h>

namespace emend::worker::collective {
namespace {

Status Missing(const std::string& what) {
  return {StatusCode::kFailedPrecondition, "nccl_missing",
          what + "; expected NCCL of " + NcclVersionText(kNcclVersionMin) +
              " or newer beside a CUDA build of libtorch: ./dev build --cuda, or pip install " +
              "nvidia-nccl-cu13, and LD_LIBRARY_PATH"};
}

class Functions {
 public:
  explicit Functions(const std::string& path)
      : path_(path), handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) status_ = Missing("opening " + path + ": " + dlerror());
  }

  template <typename Function>
  Functions& Take(const char* name, Function& function) {
    if (!status_.ok()) return *this;
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) status_ = Missing("opening " + path_ + ": it has no function " + name);
    return *this;
  }

  const Status& status() const { return status_; }

 private:
  const std::string path_;
  void* const handle_;
  Status status_;
};

Status CheckVersion(int version, const std::string& path) {
  if (version >= kNcclVersionMin && version / 10000 == kNcclMajor) return OkStatus();
  return {StatusCode::kUnsupported, "nccl_version",
          "opening " + path + ": found NCCL " + NcclVersionText(version) + ", expected " +
              NcclVersionText(kNcclVersionMin) + " or newer of major version " +
              std::to_string(kNcclMajor)};
}

}  // namespace

std::string NcclVersionText(int version) {
  const int major_unit = version < 10000 ? 1000 : 10000;  // up to 2.8, 2.x.y was 2xyy
  return std::to_string(version / major_unit) + "." + std::to_string(version % major_unit / 100) +
         "." + std::to_string(version % 100);
}

Result<std::shared_ptr<const NcclLibrary>> NcclLibrary::Open(const NcclPaths& paths) {
  std::shared_ptr<NcclLibrary> library(new NcclLibrary());
  EMEND_RETURN_IF_ERROR(library->Find(paths));
  return std::shared_ptr<const NcclLibrary>(std::move(library));
}

Status NcclLibrary::Find(const NcclPaths& paths) {
  Functions version(paths.nccl);
  version.Take("ncclGetVersion", nccl_.get_version);
  EMEND_RETURN_IF_ERROR(version.status());
  int number = 0;
  if (nccl_.get_version(&number) != NcclResult::kSuccess)
    return Missing("opening " + paths.nccl + ": it does not tell its version");
  EMEND_RETURN_IF_ERROR(CheckVersion(number, paths.nccl));
  version_ = NcclVersionText(number);

  Functions nccl(paths.nccl);
  nccl.Take("ncclGetUniqueId", nccl_.get_unique_id)
      .Take("ncclCommInitRankConfig", nccl_.init_rank)
      .Take("ncclCommGetAsyncError", nccl_.get_async_error)
      .Take("ncclCommAbort", nccl_.abort)
      .Take("ncclGetErrorString", nccl_.get_error_string)
      .Take("ncclGetLastError", nccl_.get_last_error)
      .Take("ncclAllReduce", nccl_.all_reduce)
      .Take("ncclBroadcast", nccl_.broadcast)
      .Take("ncclAllGather", nccl_.all_gather)
      .Take("ncclReduceScatter", nccl_.reduce_scatter);
  EMEND_RETURN_IF_ERROR(nccl.status());
  Functions cuda(paths.cuda_runtime);
  cuda.Take("cudaSetDevice", cuda_.set_device)
      .Take("cudaStreamQuery", cuda_.stream_query)
      .Take("cudaGetErrorString", cuda_.get_error_string);
  return cuda.status();
}

}  // namespace emend::worker::collective
