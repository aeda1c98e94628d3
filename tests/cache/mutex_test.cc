#include "cache/mutex.h"

#include <thread>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(Mutex, OneThreadAtATimeHoldsIt) {
  Mutex mutex;
  int64_t count = 0;
  const auto add = [&] {
    for (int i = 0; i < 10000; ++i) {
      MutexLock lock(&mutex);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 20000);
}

TEST(CondVar, WaitsForASignal) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(&mutex);
    ready = true;
    changed.SignalAll();
  });
  {
    MutexLock lock(&mutex);
    while (!ready) changed.Wait(&mutex);
    EXPECT_TRUE(ready);
  }
  other.join();
}

TEST(CondVar, GivesUpInTime) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(&mutex);
  while (changed.WaitWithTimeout(&mutex, absl::Milliseconds(1))) {
  }
}

}  // namespace
}  // namespace qvg
