#ifndef SERVER_SIGNALS_H_
#define SERVER_SIGNALS_H_

#include "absl/time/time.h"

namespace qvg {

// Exit codes of the program.
inline constexpr int kExitClean = 0;
inline constexpr int kExitFailed = 1;  // did not start
inline constexpr int kExitForced = 2;  // sessions were cut off, or worse

// Keeps SIGTERM and SIGINT for AwaitStop. To be called on the main thread
// before any other thread is made; a write to a closed pipe is an error from
// then on and not a signal.
void HoldSignals();

// Waits until one of them comes, or `timeout`; true if one came.
bool AwaitStop(absl::Duration timeout);

// From now on one of them ends the process with kExitForced at once, and so
// does the passing of `limit`.
void ForceOnNextSignal(absl::Duration limit);

}  // namespace qvg

#endif  // SERVER_SIGNALS_H_
