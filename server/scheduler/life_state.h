#ifndef SERVER_SCHEDULER_LIFE_STATE_H_
#define SERVER_SCHEDULER_LIFE_STATE_H_

namespace qvg {

// Where a session is in its life.
//
//   kOpening  admitted; its first state is still to be made
//   kActive   generates a chunk, or would if the generator were free
//   kWaiting  cannot go on: no credit, paused, outbox full, or at its end
//   kClosed   gone
//
// Legal transitions:
//
//   kOpening -> kActive, kWaiting, kClosed
//   kActive  -> kWaiting, kClosed
//   kWaiting -> kActive, kClosed
enum class LifeState { kOpening, kActive, kWaiting, kClosed };
inline constexpr int kLifeStates = 4;

// "opening", "active", "waiting", "closed".
const char* ToString(LifeState state);

bool IsLegal(LifeState from, LifeState to);

// Moves *state to `to`, the only way to change a LifeState. An illegal
// transition is a bug of the caller and ends the process.
void Transition(LifeState to, LifeState* state);

}  // namespace qvg

#endif  // SERVER_SCHEDULER_LIFE_STATE_H_
