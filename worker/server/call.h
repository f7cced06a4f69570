// One request under way. The control thread sets `cancelled`; the compute thread reports.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "worker/protocol/messages.h"

namespace emend::worker::server {

struct Call {
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)> progress;
};

// Of what no coordinator waits for.
inline Call NobodysCall() {
  return {.cancelled = std::make_shared<std::atomic<bool>>(false),
          .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}};
}

}  // namespace emend::worker::server
