// MomentSum: Σ k·kᵀ over many keys, multiplied in fp32 and added up in fp64. Internal to
// worker/edit.
//
// A rank that holds part of the sum has a panel of its rows. Where the sum is whole only what is on
// and above the diagonal is multiplied (half the work), and Total() mirrors it. Keys are gathered
// into blocks first, so that the fp64 sum is touched rarely. Used by one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/edit/thread_team.h"
#include "worker/families/shard_plan.h"

namespace emend::worker::edit {

class MomentSum {
 public:
  // The rows `rows` of the sum over keys of `size`, one of `sums` that are taken at once. Borrows
  // the team.
  MomentSum(families::Slice rows, std::int64_t size, ThreadTeam& team, std::int64_t sums = 1);

  // `keys` [tokens, size] fp32. Keeps a reference until its block is multiplied.
  void Add(const at::Tensor& keys);
  // [rows, size] fp64. No Add afterwards.
  at::Tensor Total();

 private:
  bool IsWhole() const { return rows_.size == size_; }
  void MultiplyBlock();

  ThreadTeam& team_;
  const families::Slice rows_;
  const std::int64_t size_;
  const std::int64_t block_tokens_;
  at::Tensor sum_;
  std::vector<at::Tensor> waiting_;
  std::int64_t waiting_tokens_ = 0;
};

}  // namespace emend::worker::edit
