// Where a worker computes: the CPU, or a CUDA device whose part of libtorch is opened at run time
// (the program itself is linked against the CPU's alone).
//
//   EMEND_ASSIGN_OR_RETURN(const at::Device device, OpenDevice("cuda:1"));
//   // cuda:3, or cuda:1 of two
//   EMEND_ASSIGN_OR_RETURN(const at::Device mine, OpenDevice("cuda", /*local_rank=*/3));
//
// Thread-safe.
#pragma once

#include <c10/core/Device.h>

#include <string>

#include "storage/base/status.h"

namespace emend::worker::model {

// "cpu", "cuda:N", or "cuda": the one whose number is `local_rank` modulo how many there are. A
// CUDA device is used only after it has solved known answers in integers and fp64 to the bit: what
// a GPU emulates, or gets wrong, must not be found out by a commit that does not verify.
// kInvalidArgument for another name; kFailedPrecondition ("cuda_missing": libraries that are not
// there; "no_cuda_device": no driver, no GPU, no such number; "device_arithmetic": a known answer
// came out otherwise).
Result<at::Device> OpenDevice(const std::string& name, int local_rank = 0);

// The known answers alone, on any device. Also on the CPU, where the tests run it.
Status CheckArithmetic(at::Device device);

// Whether it multiplies matrices of bf16 by instructions of its own, summing in fp32: faster than
// fp32 by a factor. Elsewhere it would be slower.
bool MultipliesBf16(at::Device device);

}  // namespace emend::worker::model
