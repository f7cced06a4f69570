// MomentSum: Σ k·kᵀ over many keys, multiplied in fp32 and added up in fp64. Internal to worker/edit.
//
// Only the panels on and above the diagonal are multiplied (half the work); Total() mirrors them. Keys are gathered into blocks first, so that the fp64 sum is
// touched rarely. Used by one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/edit/thread_team.h"

namespace emend::worker::edit {

class MomentSum {
 public:
  // Borrows the team.
  MomentSum(std::int64_t size, ThreadTeam& team);

  // `keys` [tokens, size] fp32. Keeps a reference until its block is multiplied.
  void Add(const at::Tensor& keys);
  // [size, size] fp64, symmetric. No Add afterwards.
  at::Tensor Total();

 private:
  void MultiplyBlock();

  ThreadTeam& team_;
  const std::int64_t size_;
  const std::int64_t block_tokens_;
  at::Tensor sum_;
  std::vector<at::Tensor> waiting_;
  std::int64_t waiting_tokens_ = 0;
};

}  // namespace emend::worker::edit
