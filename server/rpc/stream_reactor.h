#ifndef SERVER_RPC_STREAM_REACTOR_H_
#define SERVER_RPC_STREAM_REACTOR_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "qvg/v1/session.pb.h"
#include "server/session/session_manager.h"

namespace qvg {

// One SessionService.Stream call. Bytes in and out are parsed here, so that
// bytes that are no message can be told from the end of input.
//
// One read and one write are in flight at a time; reading never waits for
// writing. Whatever ends the call goes through FinishLocked, once, when no
// write is in flight. Other threads reach the reactor through its Link only,
// which outlives it. Deleted in OnDone and nowhere else.
class StreamReactor
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Both outlive the reactor. DEADLINE_EXCEEDED ends a call that has not
  // started after `start_time`.
  StreamReactor(SessionManager* manager, grpc::CallbackServerContext* context,
                absl::Duration start_time);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // The way to the reactor for threads that are not its own: null once the
  // call is over. Shared with wakers and the alarm.
  struct Link {
    Mutex mu;
    StreamReactor* reactor ABSL_GUARDED_BY(mu) = nullptr;
  };

  ~StreamReactor() override = default;

  // Reads go to the session without the lock: it may wake this reactor.
  absl::Status Handle(const v1::StreamRequest& request);
  absl::Status Start(const v1::Start& start);
  void InputClosed();
  void Refuse(absl::Status status);
  void ReadNext();

  static void Wake(const std::shared_ptr<Link>& link);
  void StartTimedOut();
  // Writes or finishes if there is something to, and no write in flight.
  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_->mu);
  void FinishLocked(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_->mu);

  SessionManager* const manager_;
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<Link> link_;
  grpc::Alarm start_alarm_;
  grpc::ByteBuffer request_;   // of the read in flight
  grpc::ByteBuffer response_;  // of the write in flight
  // Set once, by the reading reaction; other threads look under the lock.
  SessionHandle handle_;
  bool write_in_flight_ ABSL_GUARDED_BY(link_->mu) = false;
  bool finished_ ABSL_GUARDED_BY(link_->mu) = false;
  bool cancelled_ ABSL_GUARDED_BY(link_->mu) = false;
  bool cut_off_ ABSL_GUARDED_BY(link_->mu) = false;
};

}  // namespace qvg

#endif  // SERVER_RPC_STREAM_REACTOR_H_
