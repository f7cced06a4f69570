// SIGTERM and SIGINT of a program that serves: the first one asks it to stop, a second one ends it
// at once, with 128 + its number as exit code. SIGPIPE is ignored.
//
//   StopSignals signals(*runtime);  // before anything that takes time: from here on none is lost
//   ...
//   signals.OnFirst([&] { tasks.Spawn("stop", StopAll(&parts)); });
//   runtime->Run();
//
// What is told runs on the executor. Outlives nothing: destroy it before the runtime.
#pragma once

#include <functional>
#include <memory>

#include "storage/base/runtime.h"

namespace emend {

class StopSignals {
 public:
  explicit StopSignals(Runtime& runtime);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void OnFirst(std::function<void()> stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace emend
