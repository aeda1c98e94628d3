#ifndef TESTS_FAKES_FAKE_CLOCK_H_
#define TESTS_FAKES_FAKE_CLOCK_H_

#include <atomic>

#include "absl/time/time.h"
#include "server/session/clock.h"

namespace qvg::testing {

// Time that passes when a test says so. Thread-safe.
class FakeClock {
 public:
  void Advance(absl::Duration time) { ns_ += absl::ToInt64Nanoseconds(time); }
  absl::Time now() const {
    return absl::UnixEpoch() + absl::Nanoseconds(ns_.load());
  }
  // Tells this clock's time; the clock must outlive it.
  Clock clock() {
    return [this] { return now(); };
  }

 private:
  std::atomic<int64_t> ns_{1'000'000'000};
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_FAKE_CLOCK_H_
