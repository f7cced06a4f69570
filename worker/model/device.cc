#include "worker/model/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <charconv>
#include <cstdint>

#include "worker/model/guard.h"

namespace emend::worker::model {
namespace {

constexpr const char* kCudaLibrary = "libtorch_cuda.so";

// −1: the local rank's.
Result<int> IndexOf(const std::string& name) {
  if (name == "cuda") return -1;
  int index = 0;
  const std::string digits = name.starts_with("cuda:") ? name.substr(5) : "";
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (!digits.empty() && error == std::errc() && end == digits.data() + digits.size() &&
      index >= 0 && index < 128)
    return index;
  return InvalidArgument("opening a device: found \"" + name + "\", expected cpu, cuda or cuda:N");
}

// Global, so that libtorch finds its CUDA kernels' registrations as if they had been linked.
Status OpenLibrary() {
  if (dlopen(kCudaLibrary, RTLD_NOW | RTLD_GLOBAL) != nullptr) return OkStatus();
  std::string what = "opening ";  // g++ 12 takes the sum of texts that it knows for an overflow
  what.append(kCudaLibrary).append(": ").append(dlerror());
  return {StatusCode::kFailedPrecondition, "cuda_missing",
          what +
              "; it needs the nvidia packages that torch 2.11.0 for CUDA 13 names: ./dev build "
              "--cuda fetches them"};
}

// Integers of 62 bits that no fp64 holds, and sums that wrap.
bool IntegersAreExact(at::Device device) {
  const at::Tensor host =
      at::arange(-2048, 2048, at::kLong).mul(0x12345678ABCDEF).add(0x0FEDCBA987654321);
  const at::Tensor there = host.to(device);
  const auto same = [&](const at::Tensor& found, const at::Tensor& expected) {
    return at::equal(found.cpu(), expected);
  };
  return same(there.add(there), host.add(host)) && same(there.mul(there), host.mul(host)) &&
         same(there.cumsum(0), host.cumsum(0)) &&
         same(at::bitwise_xor(there, there.flip(0)), at::bitwise_xor(host, host.flip(0))) &&
         same(there.sum(), host.sum());
}

// A product of int16 factors whose sums stay within 2^53 is exact in fp64 in any order of
// summation; in anything narrower it is not.
bool ProductsAreExact(at::Device device) {
  const auto factors = [](std::int64_t rows, std::int64_t seed) {
    return at::arange(rows * 64, at::kLong).mul(seed).remainder(65535).sub(32767).view({rows, 64});
  };
  const at::Tensor a = factors(96, 48271), b = factors(80, 69621);
  const at::Tensor expected = a.unsqueeze(1).mul(b.unsqueeze(0)).sum(2);  // in int64
  const at::Tensor found =
      a.to(device, at::kDouble).matmul(b.to(device, at::kDouble).t()).cpu().to(at::kLong);
  return at::equal(found, expected);
}

// IEEE 754 says each of these to the last bit.
bool RoundingIsIeee(at::Device device) {
  const at::Tensor host = at::arange(1, 4097, at::kDouble);
  const at::Tensor there = host.to(device);
  const at::Tensor third = at::reciprocal(host.mul(3.0));
  return at::equal(at::reciprocal(there.mul(3.0)).cpu(), third) &&
         at::equal(there.sqrt().cpu(), host.sqrt()) &&
         at::equal(third.to(device).to(at::kFloat).cpu(), third.to(at::kFloat)) &&
         at::equal(third.to(at::kFloat).to(device).to(at::kBFloat16).cpu(),
                   third.to(at::kFloat).to(at::kBFloat16));
}

}  // namespace

Status CheckArithmetic(at::Device device) {
  return Guarded("trying out the arithmetic of " + device.str(), [&]() -> Status {
    const char* const wrong = !IntegersAreExact(device)   ? "64-bit integers"
                              : !ProductsAreExact(device) ? "fp64 products"
                              : !RoundingIsIeee(device)   ? "rounding"
                                                          : "";
    if (*wrong == '\0') return OkStatus();
    return {StatusCode::kFailedPrecondition, "device_arithmetic",
            std::string(wrong) +
                " come out other than they must; emulated fp64 must be off on this device, or "
                "another one be taken"};
  });
}

Result<at::Device> OpenDevice(const std::string& name, int local_rank) {
  if (name == "cpu") return at::Device(at::kCPU);
  EMEND_ASSIGN_OR_RETURN(const int wanted, IndexOf(name));
  EMEND_RETURN_IF_ERROR(OpenLibrary());
  return Guarded("opening the device " + name, [&]() -> Result<at::Device> {
    const int count = at::hasCUDA() ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0;
    if (count == 0 || wanted >= count) {
      return Status(StatusCode::kFailedPrecondition, "no_cuda_device",
                    "found " + std::to_string(count) +
                        " CUDA devices; expected a driver for CUDA 13 and a GPU of that number "
                        "(nvidia-smi, CUDA_VISIBLE_DEVICES)");
    }
    const at::Device device(
        at::kCUDA, static_cast<c10::DeviceIndex>(wanted >= 0 ? wanted : local_rank % count));
    EMEND_RETURN_IF_ERROR(CheckArithmetic(device));
    return device;
  });
}

bool MultipliesBf16(at::Device device) {
  return !device.is_cpu() || __builtin_cpu_supports("avx512bf16") != 0;
}

}  // namespace emend::worker::model
