// emend-probe: asks a worker's health file, for images without a shell. Exit 0: yes; 1: no, and
// standard error says what was found; 2: usage.
//
//   emend-probe live /run/emend/health
//   emend-probe ready /run/emend/health
#include <iostream>
#include <string_view>

#include "worker/probe/health.h"

int main(int argc, char** argv) {
  using namespace emend::worker::probe;
  const std::string_view question = argc == 3 ? argv[1] : "";
  if (question != "live" && question != "ready") {
    std::cerr << "usage: emend-probe live|ready FILE    (FILE as of emend-worker --health-file)\n";
    return 2;
  }
  const emend::Status status =
      CheckHealth(argv[2], question == "live" ? Question::kLive : Question::kReady,
                  std::chrono::system_clock::now());
  if (!status.ok()) std::cerr << "emend-probe: " << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
