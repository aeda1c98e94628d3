#ifndef SERVER_SESSION_CLOCK_H_
#define SERVER_SESSION_CLOCK_H_

#include <chrono>
#include <functional>

#include "absl/time/time.h"

namespace qvg {

// Tells the time; never goes back. Thread-safe.
using Clock = std::function<absl::Time()>;

// Time that passes evenly, from an arbitrary moment on.
inline absl::Time SteadyNow() {
  return absl::UnixEpoch() +
         absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace qvg

#endif  // SERVER_SESSION_CLOCK_H_
