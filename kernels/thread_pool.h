#ifndef KERNELS_THREAD_POOL_H_
#define KERNELS_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/parallel_for.h"

namespace qvg::kernels {

// A ParallelFor over a fixed set of threads, which sleep between calls. The
// calling thread takes part as worker 0, and a call never waits for a thread
// that has not begun. Calls from several threads take turns; a body must not
// call its own pool.
class ThreadPool : public ParallelFor {
 public:
  // Starts `workers` - 1 threads; fewer than one worker counts as one.
  explicit ThreadPool(int workers);
  ~ThreadPool() override;

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int workers() const override { return static_cast<int>(threads_.size()) + 1; }

 protected:
  void Run(int64_t items, RawBody body, const void* context) override;

 private:
  // One call. Written by the caller under mutex_ while nobody works on it.
  struct Job {
    RawBody body = nullptr;
    const void* context = nullptr;
    int64_t items = 0;
  };

  void Open(const Job& job);
  void Close();
  void Loop(int worker);
  void TakeItems(int worker);

  std::mutex turn_;   // held by the caller whose job is open
  std::mutex mutex_;  // guards what follows, next_item_ excepted
  std::condition_variable wake_;
  std::condition_variable idle_;
  Job job_;
  bool open_ = false;
  bool stop_ = false;
  uint64_t generation_ = 0;  // of job_; a thread joins each job once
  int active_ = 0;           // threads inside job_
  std::atomic<int64_t> next_item_{0};
  std::vector<std::thread> threads_;
};

}  // namespace qvg::kernels

#endif  // KERNELS_THREAD_POOL_H_
