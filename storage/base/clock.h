// Time as an interface, so that tests and the simulation decide what time it is.
#pragma once

#include <chrono>

namespace emend {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // For deadlines, leases and durations; never goes back.
  virtual SteadyTime Now() const = 0;
  // For what people read (commit times). Nothing is ordered by it.
  virtual WallTime WallNow() const = 0;
};

// The machine's clocks.
class SystemClock final : public Clock {
 public:
  SteadyTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
  }
};

}  // namespace emend
