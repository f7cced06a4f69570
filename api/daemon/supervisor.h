// Supervisor: starts the embedded workers of `emend up` as child processes, and starts one again
// when it exits.
//
// Restarts wait 100 ms, then twice as long each time up to 5 s, and from the beginning after a
// minute of health. The children exit by themselves when their control connection dies, and get
// SIGTERM, then SIGKILL after 5 s, on Stop. Used on the runtime's executor only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/runtime.h"

namespace emend::api::daemon {

struct SupervisorOptions {
  std::string program;      // path of emend-worker
  std::string coordinator;  // "127.0.0.1:port"
  std::string token_file;   // mode 0600
  std::string log_folder;   // one file per worker: worker-0.log
  int workers = 1;          // groups
  int ranks = 1;            // processes of each, which hold one model together
  int threads = 0;          // per process; 0: cores / processes
  // Processes whose connection was lost; one that does not end by itself within 2 s (it hangs, or
  // is stopped) is killed. May be empty.
  std::function<std::vector<std::uint64_t>()> lost_processes = {};
};

class Supervisor {
 public:
  virtual ~Supervisor() = default;
  // kNotFound if the program is not there.
  virtual Status Start() = 0;
  virtual Awaitable<void> Stop() = 0;
  virtual std::vector<std::uint64_t> process_ids() const = 0;
};

std::unique_ptr<Supervisor> NewSupervisor(Runtime& runtime, SupervisorOptions options);

}  // namespace emend::api::daemon
