// A network inside one process, for tests and the simulation: hosts that dial each other by name,
// with delays drawn from a seed, and faults on command.
//
//   auto network = NewMemoryNetwork(runtime, {.seed = 7});
//   auto coordinator = network->Host("coordinator");
//   auto listener = coordinator->Listen("coordinator:7070");
//   // worker->Dial("coordinator:7070", ...)
//   auto worker = network->Host("w0");
//   network->Partition("w0");                                     // what is sent from now on waits
//   network->Heal("w0");                                          // and comes late
//   // every connection of w0 is reset
//   network->Cut("w0");
//
// Bytes pass through the same frames and limits as over TCP, in order, each frame after its own
// delay. Used on the runtime's executor only. The network must outlive its hosts, listeners and
// connections, and the runtime must outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "worker/protocol/connection.h"

namespace emend::test {

struct MemoryNetworkOptions {
  std::uint64_t seed = 1;
  std::chrono::microseconds latency_min{100};
  std::chrono::microseconds latency_max{1000};
  // Of hosts whose programs speak another protocol version than this build's.
  std::map<std::string, std::uint16_t> versions = {};
  // Told of every delivery and fault, for a simulation's event log. May be empty.
  std::function<void(std::string_view event)> observer = {};
};

class MemoryNetwork {
 public:
  virtual ~MemoryNetwork() = default;
  // The network as this host sees it. A host listens on "NAME:PORT", any text after the colon.
  virtual std::unique_ptr<worker::protocol::Transport> Host(const std::string& name) = 0;
  // Every connection of the host ends on both sides at once; frames under way are lost.
  virtual void Cut(const std::string& host) = 0;
  // Frames from and to the host wait until Heal; its dials time out.
  virtual void Partition(const std::string& host) = 0;
  virtual void Heal(const std::string& host) = 0;
};

std::unique_ptr<MemoryNetwork> NewMemoryNetwork(Runtime& runtime, MemoryNetworkOptions options);

}  // namespace emend::test
