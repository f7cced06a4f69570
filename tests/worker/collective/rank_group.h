// A group of ranks over TCP whose ranks are threads of the test.
//
//   OnEachRank(3, [&](worker::collective::Communicator& communicator) { ... });       // returns when all have
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "worker/collective/tcp_communicator.h"

namespace emend::test {

// One rank is the communicator that does nothing.
inline void OnEachRank(int ranks, const std::function<void(worker::collective::Communicator&)>& act, std::size_t piece_bytes = std::size_t{1} << 18) {
  using namespace worker::collective;
  if (ranks == 1) return act(*NewSingleRankCommunicator());
  std::vector<std::unique_ptr<LinePort>> ports;
  std::vector<std::string> addresses;
  for (int rank = 0; rank < ranks; ++rank) addresses.push_back(ports.emplace_back(std::move(LinePort::Open("127.0.0.1")).value())->address());
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      LineOptions options{.rank = rank, .size = ranks, .generation = 1, .secret = "s", .addresses = addresses};
      options.piece_bytes = piece_bytes;
      auto line = Line::Join(std::move(ports[static_cast<std::size_t>(rank)]), std::move(options));
      ASSERT_THAT(line.status(), IsOk());
      act(*NewTcpCommunicator(std::move(line).value()));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace emend::test
