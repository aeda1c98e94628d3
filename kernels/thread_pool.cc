#include "kernels/thread_pool.h"

#include <algorithm>

namespace qvg::kernels {

ThreadPool::ThreadPool(int workers) {
  threads_.reserve(std::max(workers - 1, 0));
  for (int worker = 1; worker < workers; ++worker) {
    threads_.emplace_back([this, worker] { Loop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(int64_t items, RawBody body, const void* context) {
  std::lock_guard<std::mutex> turn(turn_);
  if (items <= 1 || threads_.empty()) {
    for (int64_t i = 0; i < items; ++i) body(context, i, 0);
    return;
  }
  Open({body, context, items});
  TakeItems(0);
  Close();
}

void ThreadPool::Open(const Job& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job_ = job;
    next_item_.store(0, std::memory_order_relaxed);
    ++generation_;
    open_ = true;
  }
  const int64_t helpers = std::min<int64_t>(job.items - 1, threads_.size());
  for (int64_t i = 0; i < helpers; ++i) wake_.notify_one();
}

// No item is left, so a thread that has not joined yet is not waited for.
void ThreadPool::Close() {
  std::unique_lock<std::mutex> lock(mutex_);
  open_ = false;
  idle_.wait(lock, [this] { return active_ == 0; });
}

void ThreadPool::Loop(int worker) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || (open_ && generation_ != seen); });
    if (stop_) return;
    seen = generation_;
    ++active_;
    lock.unlock();
    TakeItems(worker);
    lock.lock();
    if (--active_ == 0) idle_.notify_one();
  }
}

void ThreadPool::TakeItems(int worker) {
  while (true) {
    const int64_t item = next_item_.fetch_add(1, std::memory_order_relaxed);
    if (item >= job_.items) return;
    job_.body(job_.context, item, worker);
  }
}

}  // namespace qvg::kernels
