#ifndef TESTS_FAKES_FAKE_READER_H_
#define TESTS_FAKES_FAKE_READER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cache/mutex.h"
#include "server/session/session_manager.h"

namespace qvg::testing {

// The writer's end of a session, and its client in one: takes messages when a
// test wants some. Waiting gives up after a time that no correct program
// needs.
class FakeReader {
 public:
  // What the admission says is in status().
  FakeReader(SessionManager* manager, const StartRequest& request);

  const absl::Status& status() const { return status_; }
  SessionHandle& handle() { return handle_; }

  // Takes the next message; nothing once the session has finished (final() is
  // set then) or if none comes.
  std::optional<Message> Read();
  // Takes the next message but leaves the write open: the transport has it.
  std::optional<Message> ReadWithoutDone();
  void WriteDone() { handle_.Written(); }
  // Reads until a message of this type, that is returned; others are kept.
  template <typename T>
  std::optional<T> ReadUntil() {
    while (auto message = Read()) {
      if (std::holds_alternative<T>(*message)) return std::get<T>(*message);
    }
    return std::nullopt;
  }
  // Reads to the end.
  void ReadAll() {
    while (Read()) {
    }
  }

  // Everything of one type that was read, in order.
  template <typename T>
  std::vector<T> All() const {
    std::vector<T> all;
    for (const Message& message : messages_) {
      if (const T* item = std::get_if<T>(&message)) all.push_back(*item);
    }
    return all;
  }
  // The bytes of all media parts. Those of the parts in All() are gone.
  const std::string& media() const { return media_; }
  // How the call ended; nothing while it goes on.
  const std::optional<absl::Status>& final_status() const { return final_; }
  bool aborted() const { return aborted_; }

 private:
  // Shared with the waker, which may be called after the reader is gone.
  struct Bell {
    Mutex mu;
    CondVar changed;
    bool rung = false;
  };

  WriterStep AwaitStep();

  std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  absl::Status status_;
  SessionHandle handle_;
  std::vector<Message> messages_;
  std::string media_;
  std::optional<absl::Status> final_;
  bool aborted_ = false;
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_FAKE_READER_H_
