// Which kernels libtorch's matrix products run. Internal to worker/edit.
#pragma once

namespace emend::worker::edit {

// Lets MKL, which libtorch carries, choose its kernels by what the processor can do rather than by
// who made it: on other makers' processors it otherwise keeps to a slow generic path. Measured on
// an AMD EPYC with AVX-512: fp32 products 90 to 210 GFLOP/s a core, fp64 45 to 89. Results differ
// by rounding only, as between any two processors. It takes effect by being linked into the
// program; the call does nothing but make sure of that.
void UseProcessorsKernels();

}  // namespace emend::worker::edit
