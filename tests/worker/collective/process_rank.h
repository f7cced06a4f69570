// One rank of a group whose ranks are processes, as tests/gpu/ranks.py starts them: each runs the
// whole program, and they meet in a folder.
//
//   if (const auto process = ProcessRank::FromEnvironment()) auto communicator = process->Join();
//
// EMEND_TEST_RANK, EMEND_TEST_RANKS, EMEND_TEST_FOLDER; EMEND_TEST_DEVICE is "cpu" (over TCP) or
// "cuda" (over NCCL; rank r has device r modulo their number).
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "worker/collective/nccl_communicator.h"
#include "worker/collective/tcp_communicator.h"
#include "worker/model/device.h"

namespace emend::test {

class ProcessRank {
 public:
  static std::optional<ProcessRank> FromEnvironment() {
    const char* const rank = std::getenv("EMEND_TEST_RANK");
    if (rank == nullptr) return std::nullopt;
    ProcessRank process;
    process.rank_ = std::atoi(rank);
    process.size_ = std::atoi(std::getenv("EMEND_TEST_RANKS"));
    process.folder_ = std::getenv("EMEND_TEST_FOLDER");
    process.is_cuda_ = std::string(std::getenv("EMEND_TEST_DEVICE")) == "cuda";
    return process;
  }

  int size() const { return size_; }
  const char* backend() const { return is_cuda_ ? "nccl" : "tcp"; }

  at::Device device() const {
    const auto opened = worker::model::OpenDevice(is_cuda_ ? "cuda" : "cpu", rank_);
    EMEND_CHECK(opened.ok(), opened.status().ToString());
    return *opened;
  }

  // The next group; every process calls this equally often.
  std::unique_ptr<worker::collective::Communicator> Join(
      std::chrono::milliseconds call_timeout = std::chrono::seconds(60)) {
    using namespace worker::collective;
    ++generation_;
    auto port = std::move(LinePort::Open("127.0.0.1")).value();
    Publish(port->address());
    LineOptions options{.rank = rank_,
                        .size = size_,
                        .generation = generation_,
                        .secret = folder_,
                        .addresses = {},
                        .call_timeout = call_timeout};
    for (int rank = 0; rank < size_; ++rank) options.addresses.push_back(AddressOf(rank));
    auto line = Line::Join(std::move(port), std::move(options));
    EMEND_CHECK(line.ok(), "the processes do not meet: " + line.status().ToString());
    if (!is_cuda_) return NewTcpCommunicator(std::move(*line));
    const at::Device own = device();
    auto made = NewNcclCommunicator(
        std::move(*line),
        {.device = own, .device_index = own.index(), .call_timeout = call_timeout});
    EMEND_CHECK(made.ok(), "no group over NCCL: " + made.status().ToString());
    return std::move(*made);
  }

 private:
  std::string FileOf(int rank) const {
    return folder_ + "/" + std::to_string(generation_) + "." + std::to_string(rank);
  }

  void Publish(const std::string& address) const {
    std::ofstream(FileOf(rank_) + ".part") << address;
    std::filesystem::rename(FileOf(rank_) + ".part", FileOf(rank_));
  }

  std::string AddressOf(int rank) const {
    for (int wait = 0; wait < 6000 && !std::filesystem::exists(FileOf(rank)); ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::string address;
    std::ifstream(FileOf(rank)) >> address;
    EMEND_CHECK(!address.empty(), "rank " + std::to_string(rank) + " does not come");
    return address;
  }

  int rank_ = 0;
  int size_ = 1;
  std::string folder_;
  bool is_cuda_ = false;
  std::uint64_t generation_ = 0;
};

}  // namespace emend::test
