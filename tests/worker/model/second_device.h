// A device that is not the CPU, where there is no GPU: its memory is the host's and libtorch's CPU
// kernels compute on it, but a tensor of it and one of the CPU do not mix, as with CUDA. What was
// forgotten on the CPU throws here as it would on a GPU.
//
//   // and everything above it, as ever
//   auto model = Transformer::Load(*checkpoint, *communicator, SecondDevice());
//
// Like CUDA it lets a CPU tensor of no dimension take part, and CPU indices of a tensor. Made of
// libtorch's "PrivateUse1" backend.
#pragma once

#include <c10/core/Device.h>

namespace emend::test {

at::Device SecondDevice();

}  // namespace emend::test
