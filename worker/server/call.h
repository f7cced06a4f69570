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
  std::uint16_t version = protocol::kProtocolVersion;  // that the coordinator speaks
};

}  // namespace emend::worker::server
