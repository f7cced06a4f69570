// Communicator: collectives between the ranks of a worker group, over at::Tensor.
//
//   // in place; every rank ends with the same bits
//   EMEND_RETURN_IF_ERROR(communicator.AllReduceSum(partial));
//
// Every call is made by all ranks in the same order with the same shapes; it carries (generation,
// sequence, shape), and a mismatch aborts the communicator on all ranks. Every call ends by its
// deadline: kDeadlineExceeded or kUnavailable names rank, operation, sequence and generation, and
// the communicator is then aborted for good (a new generation builds a new one). Used by one thread
// at a time. Back ends: single rank (here), TCP and NCCL behind the same interface; a tensor may
// lie on any device.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "storage/base/status.h"

namespace emend::worker::collective {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // tensor := Σ over ranks of tensor; contiguous, any shape, fp32, fp64 or int64. Summed in rank
  // order but for NCCL, which has its own.
  virtual Status AllReduceSum(at::Tensor& tensor) = 0;
  virtual Status AllReduceMax(at::Tensor& tensor) = 0;
  // tensor := root's tensor.
  virtual Status Broadcast(at::Tensor& tensor, int root) = 0;
  // [size, ...] from each rank's [...], in rank order.
  virtual Result<at::Tensor> AllGather(const at::Tensor& tensor) = 0;
  // This rank's part of Σ over ranks of tensor [size · n, ...]: [n, ...].
  virtual Result<at::Tensor> ReduceScatterSum(const at::Tensor& tensor) = 0;
  virtual Status Barrier() = 0;
  // Ends every call under way and refuses later ones; from any thread.
  virtual void Abort() = 0;
};

// One rank: every collective is the identity.
std::unique_ptr<Communicator> NewSingleRankCommunicator();

}  // namespace emend::worker::collective
