// A group of ranks whose ranks are threads of the test.
//
//   // over TCP; returns when all have
//   OnEachRank(3, [&](worker::collective::Communicator& communicator) { ... });
//   OnEachLine(3, {.call_timeout = 300ms}, [&](std::unique_ptr<worker::collective::Line> line) {
//       ... });
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

// `options`: what is not about the place of a rank.
inline void OnEachLine(int ranks, const worker::collective::LineOptions& options,
                       const std::function<void(std::unique_ptr<worker::collective::Line>)>& act) {
  using namespace worker::collective;
  std::vector<std::unique_ptr<LinePort>> ports;
  std::vector<std::string> addresses;
  for (int rank = 0; rank < ranks; ++rank)
    addresses.push_back(
        ports.emplace_back(std::move(LinePort::Open("127.0.0.1")).value())->address());
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      LineOptions own = options;
      own.rank = rank;
      own.size = ranks;
      own.generation = std::max<std::uint64_t>(1, options.generation);
      own.secret = "s";
      own.addresses = addresses;
      auto line = Line::Join(std::move(ports[static_cast<std::size_t>(rank)]), std::move(own));
      ASSERT_THAT(line.status(), IsOk());
      act(std::move(line).value());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// One rank is the communicator that does nothing.
inline void OnEachRank(int ranks, const std::function<void(worker::collective::Communicator&)>& act,
                       std::size_t piece_bytes = std::size_t{1} << 18) {
  using namespace worker::collective;
  if (ranks == 1) return act(*NewSingleRankCommunicator());
  LineOptions options;
  options.piece_bytes = piece_bytes;
  OnEachLine(ranks, options,
             [&](std::unique_ptr<Line> line) { act(*NewTcpCommunicator(std::move(line))); });
}

}  // namespace emend::test
