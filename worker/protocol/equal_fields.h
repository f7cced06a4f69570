// Messages are equal where all of their fields are. Part of messages.h.
#pragma once

#include "storage/base/archive.h"

namespace emend::worker::protocol {

template <HasFields T>
bool operator==(const T& a, const T& b) {
  return T::Fields(a) == T::Fields(b);
}

}  // namespace emend::worker::protocol
