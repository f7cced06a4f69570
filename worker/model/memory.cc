#include "worker/model/memory.h"

#include <malloc.h>

#include <limits>

namespace emend::worker::model {

void KeepFreedMemory() {
  constexpr int kNever = std::numeric_limits<int>::max();
  constexpr int kTopPadBytes = 64 << 20;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, kNever);
  mallopt(M_TRIM_THRESHOLD, kNever);
  mallopt(M_TOP_PAD, kTopPadBytes);
}

}  // namespace emend::worker::model
