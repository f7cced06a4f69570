// How the long calls of this folder tell where they are, and how they are cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "storage/base/status.h"

namespace emend::worker::edit {

struct ProgressReport {
  std::string_view
      phase;  // "statistics", "targets", "keys", "solve", "blame"; lives as long as the program
  std::int64_t done = 0;
  std::int64_t total = 0;
};

// Called often, from the calling thread; returning a failure ends the work with it (kCancelled,
// say). May be empty.
using ProgressFunction = std::function<Status(const ProgressReport&)>;

inline Status Report(const ProgressFunction& progress, const ProgressReport& report) {
  return progress ? progress(report) : OkStatus();
}

}  // namespace emend::worker::edit
