#ifndef SERVER_SESSION_SESSION_HANDLE_H_
#define SERVER_SESSION_SESSION_HANDLE_H_

#include <memory>
#include <utility>

#include "server/session/dispatcher.h"
#include "server/session/messages.h"
#include "server/session/session.h"

namespace qvg {

// A stream's hold on its session; the session ends with it. Move-only. The
// methods may be called from several threads; none of them waits. What they
// do, and all errors, come back through NextStep.
class SessionHandle {
 public:
  SessionHandle() = default;
  SessionHandle(Dispatcher* dispatcher, std::shared_ptr<Session> session)
      : dispatcher_(dispatcher), session_(std::move(session)) {}
  SessionHandle(SessionHandle&& other) noexcept = default;
  SessionHandle& operator=(SessionHandle&& other) noexcept {
    std::swap(dispatcher_, other.dispatcher_);
    std::swap(session_, other.session_);
    return *this;
  }
  ~SessionHandle() {
    if (session_ != nullptr) dispatcher_->Remove(*session_);
  }

  explicit operator bool() const { return session_ != nullptr; }
  const std::string& name() const { return session_->name(); }

  void Action(const ActionRequest& action) {
    dispatcher_->Action(*session_, action);
  }
  void Prompt(const PromptRequest& prompt) {
    dispatcher_->Prompt(*session_, prompt);
  }
  void AddCredit(int64_t chunks) { dispatcher_->AddCredit(*session_, chunks); }
  void Ack(uint64_t chunk) { dispatcher_->Ack(*session_, chunk); }
  void Ping(uint64_t nonce) { dispatcher_->Ping(*session_, nonce); }
  void SetPaused(bool paused) { dispatcher_->SetPaused(*session_, paused); }
  void Stop() { dispatcher_->Stop(*session_); }
  void InputClosed() { dispatcher_->InputClosed(*session_); }
  void Fail(absl::Status status) {
    dispatcher_->Fail(*session_, std::move(status));
  }
  // Nobody will read any more: ends the chunk under way between two steps.
  void Cancel() { session_->work().cancelled = true; }

  // What to write next, one message at a time: after kWrite comes Written.
  WriterStep NextStep() { return dispatcher_->NextStep(*session_); }
  void Written() { dispatcher_->Written(*session_); }
  // Whether the write under way should be cut off.
  bool Aborted() const { return dispatcher_->Aborted(*session_); }

 private:
  Dispatcher* dispatcher_ = nullptr;
  std::shared_ptr<Session> session_;  // shared with the dispatcher's threads
};

}  // namespace qvg

#endif  // SERVER_SESSION_SESSION_HANDLE_H_
