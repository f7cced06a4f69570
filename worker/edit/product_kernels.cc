#include "worker/edit/product_kernels.h"

// MKL asks this function of itself and goes on to look at the processor's features only if it says
// yes. A definition in the program comes before the library's.
extern "C" __attribute__((visibility("default"), used)) int mkl_serv_intel_cpu_true() { return 1; }

namespace emend::worker::edit {

void UseProcessorsKernels() {}

}  // namespace emend::worker::edit
