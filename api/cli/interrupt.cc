#include "api/cli/interrupt.h"

#include <atomic>

namespace emend::api::cli {
namespace {

std::atomic<bool> came = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void OnInterrupt(int) { came = true; }

}  // namespace

InterruptWatch::InterruptWatch() {
  came = false;
  struct sigaction action{};
  action.sa_handler = &OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // the second one ends the program
  sigaction(SIGINT, &action, &before_);
}

InterruptWatch::~InterruptWatch() { sigaction(SIGINT, &before_, nullptr); }

bool InterruptWatch::CameNow() { return came.exchange(false); }

}  // namespace emend::api::cli
