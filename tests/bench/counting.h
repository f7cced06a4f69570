// What benchmarks of ranks count: bytes that a rank's tensors take, and bytes that it hands to
// collectives.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "worker/collective/communicator.h"

namespace emend::bench {

// libtorch's CPU allocator with a count of what each thread has allocated and is still there,
// whoever frees it.
class CountingAllocator final : public c10::Allocator {
 public:
  // For the rest of the program.
  static void Install() {
    static CountingAllocator allocator(c10::GetCPUAllocator());
    c10::SetCPUAllocator(&allocator, /*priority=*/100);
  }
  // Of the calling thread.
  static std::int64_t LiveBytes() { return Mine()->load(); }

  c10::DataPtr allocate(std::size_t bytes) override {
    auto block =
        std::make_unique<Block>(inner_->allocate(bytes), static_cast<std::int64_t>(bytes), Mine());
    *block->count += block->bytes;
    void* const data = block->data.get();
    return {data, block.release(), &Free, c10::Device(c10::DeviceType::CPU)};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  using Count = std::shared_ptr<std::atomic<std::int64_t>>;
  struct Block {
    Block(c10::DataPtr given, std::int64_t size, Count counter)
        : data(std::move(given)), bytes(size), count(std::move(counter)) {}
    c10::DataPtr data;
    std::int64_t bytes;
    Count count;
  };

  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}
  static const Count& Mine() {
    thread_local const Count count = std::make_shared<std::atomic<std::int64_t>>(0);
    return count;
  }
  static void Free(void* context) {
    const std::unique_ptr<Block> block(static_cast<Block*>(context));
    *block->count -= block->bytes;
  }

  c10::Allocator* const inner_;
};

// Passes on, and counts calls and payload bytes by operation.
class CountingCommunicator final : public worker::collective::Communicator {
 public:
  struct Use {
    std::int64_t calls = 0;
    std::int64_t bytes = 0;
  };

  explicit CountingCommunicator(Communicator& inner) : inner_(inner) {}
  const std::map<std::string, Use>& uses() const { return uses_; }
  void Reset() { uses_.clear(); }

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  Status AllReduceSum(at::Tensor& tensor) override {
    return Count("all_reduce", tensor), inner_.AllReduceSum(tensor);
  }
  Status AllReduceMax(at::Tensor& tensor) override {
    return Count("all_reduce", tensor), inner_.AllReduceMax(tensor);
  }
  Status Broadcast(at::Tensor& tensor, int root) override {
    return Count("broadcast", tensor), inner_.Broadcast(tensor, root);
  }
  Result<at::Tensor> AllGather(const at::Tensor& tensor) override {
    return Count("all_gather", tensor), inner_.AllGather(tensor);
  }
  Result<at::Tensor> ReduceScatterSum(const at::Tensor& tensor) override {
    return Count("reduce_scatter", tensor), inner_.ReduceScatterSum(tensor);
  }
  Status Barrier() override { return inner_.Barrier(); }
  void Abort() override { inner_.Abort(); }

 private:
  void Count(const char* operation, const at::Tensor& tensor) {
    Use& use = uses_[operation];
    ++use.calls;
    use.bytes += static_cast<std::int64_t>(tensor.nbytes());
  }

  Communicator& inner_;
  std::map<std::string, Use> uses_;
};

}  // namespace emend::bench
