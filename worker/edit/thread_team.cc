#include "worker/edit/thread_team.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <utility>

namespace emend::worker::edit {

ThreadTeam::ThreadTeam(int thread_count) : thread_count_(thread_count) {
  if (thread_count_ <= 1) return;
  const int callers_threads = at::get_num_threads();
  for (int i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Serve(); });
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_ == thread_count_; });
  }
  // The team's threads set their own count, which libtorch also takes for that of threads yet to
  // come: put it back.
  at::set_num_threads(callers_threads);
}

ThreadTeam::~ThreadTeam() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::Serve() {
  // a thread's first use of libtorch sets its count: not after ours
  static_cast<void>(at::get_num_threads());
  at::set_num_threads(1);
  const at::NoGradGuard no_grad;
  std::unique_lock lock(mutex_);
  ++ready_;
  changed_.notify_all();
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || (work_ != nullptr && next_ < count_); });
    if (stopping_) return;
    const std::int64_t piece = next_++;
    ++running_;
    const std::function<void(std::int64_t)>& work = *work_;
    lock.unlock();
    std::exception_ptr error;
    try {
      work(piece);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    --running_;
    if (error != nullptr) {
      if (error_ == nullptr) error_ = error;
      next_ = count_;
    }
    if (running_ == 0 && next_ >= count_) changed_.notify_all();
  }
}

void ThreadTeam::ForEach(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  if (threads_.empty()) {
    const at::NoGradGuard no_grad;
    for (std::int64_t piece = 0; piece < count; ++piece) work(piece);
    return;
  }
  std::unique_lock lock(mutex_);
  work_ = &work;
  next_ = 0;
  count_ = count;
  changed_.notify_all();
  changed_.wait(lock, [this] { return running_ == 0 && next_ >= count_; });
  work_ = nullptr;
  if (const std::exception_ptr error = std::exchange(error_, nullptr); error != nullptr)
    std::rethrow_exception(error);
}

}  // namespace emend::worker::edit
