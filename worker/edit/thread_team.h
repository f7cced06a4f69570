// ThreadTeam: runs independent pieces of tensor work side by side, one thread a piece. Internal to
// worker/edit.
//
//   ThreadTeam team(at::get_num_threads());
//   team.ForEach(buckets.size(), [&](std::int64_t i) { steps[i] = buckets[i].Step(deltas); });
//
// A batch is many small products. Side by side they meet once at the end; each split over all
// threads they meet once an operation, which costs more than it gains, and much more on a busy
// machine, where libtorch's threads spin for one that is not running. Inside a piece, operations
// run on one thread. Used by one thread. The team's threads live as long as it does.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace emend::worker::edit {

class ThreadTeam {
 public:
  // With one thread, pieces run on the caller's.
  explicit ThreadTeam(int thread_count);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int thread_count() const { return thread_count_; }
  // Calls work(0), ..., work(count − 1), each once, in any order; returns when all are done. What a
  // piece throws is thrown here, and the pieces not yet begun are left out. Gradients are off in
  // the pieces unless they turn them on.
  void ForEach(std::int64_t count, const std::function<void(std::int64_t)>& work);

 private:
  void Serve();

  const int thread_count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  const std::function<void(std::int64_t)>* work_ = nullptr;  // null: nothing to do
  std::int64_t next_ = 0;
  std::int64_t count_ = 0;
  std::int64_t running_ = 0;
  std::exception_ptr error_;
  int ready_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace emend::worker::edit
