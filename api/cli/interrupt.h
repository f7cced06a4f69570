// Ctrl-C while an operation is waited for: the first cancels the operation, the second ends the
// program and lets the operation be.
//
//   InterruptWatch interrupt;
//   if (interrupt.CameNow()) cancel();
//
// One at a time in a process. Restores what was there before.
#pragma once

#include <csignal>

namespace emend::api::cli {

class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // True once: the first time it is asked after a Ctrl-C.
  bool CameNow();

 private:
  struct sigaction before_{};
};

}  // namespace emend::api::cli
