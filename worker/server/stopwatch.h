// How long something took, for what a reply says of it.
#pragma once

#include <chrono>

namespace emend::worker::server {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace emend::worker::server
