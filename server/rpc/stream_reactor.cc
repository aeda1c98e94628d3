#include "server/rpc/stream_reactor.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <chrono>
#include <utility>

#include "server/rpc/convert.h"
#include "server/rpc/status.h"

namespace qvg {
namespace {

absl::Status OutOfOrder(const char* what) {
  return absl::FailedPreconditionError(what);
}

// Takes what `buffer` holds.
bool Parse(grpc::ByteBuffer* buffer, v1::StreamRequest* request) {
  return grpc::SerializationTraits<v1::StreamRequest>::Deserialize(buffer,
                                                                   request)
      .ok();
}

void Serialize(const v1::StreamResponse& response, grpc::ByteBuffer* buffer) {
  bool own_buffer = false;
  buffer->Clear();
  grpc::SerializationTraits<v1::StreamResponse>::Serialize(response, buffer,
                                                           &own_buffer);
}

}  // namespace

StreamReactor::StreamReactor(SessionManager* manager,
                             grpc::CallbackServerContext* context,
                             absl::Duration start_time)
    : manager_(manager), context_(context), link_(std::make_shared<Link>()) {
  {
    MutexLock lock(&link_->mu);
    link_->reactor = this;
  }
  start_alarm_.Set(
      std::chrono::system_clock::now() + absl::ToChronoMilliseconds(start_time),
      [link = link_](bool ran_out) {
        MutexLock lock(&link->mu);
        if (ran_out && link->reactor != nullptr) {
          link->reactor->StartTimedOut();
        }
      });
  StartRead(&request_);
}

void StreamReactor::StartTimedOut() {
  if (handle_) return;
  FinishLocked(absl::DeadlineExceededError(
      "start: the client took too long to send it"));
}

void StreamReactor::OnReadDone(bool ok) {
  if (!ok) return InputClosed();
  v1::StreamRequest request;
  absl::Status status =
      Parse(&request_, &request)
          ? Handle(request)
          : absl::InvalidArgumentError(
                "message: the bytes are no qvg.v1.StreamRequest");
  if (!status.ok()) Refuse(std::move(status));
  ReadNext();
}

void StreamReactor::ReadNext() {
  MutexLock lock(&link_->mu);
  if (!finished_) StartRead(&request_);
}

absl::Status StreamReactor::Handle(const v1::StreamRequest& request) {
  using Case = v1::StreamRequest::MessageCase;
  const Case message = request.message_case();
  if (message == Case::kStart) return Start(request.start());
  if (message == Case::MESSAGE_NOT_SET) {
    return absl::InvalidArgumentError(
        "message: none is set, or one that this server does not know");
  }
  if (!handle_) return OutOfOrder("message: the first one must be start");
  switch (message) {
    case Case::kAction:
      handle_.Action(FromProto(request.action()));
      break;
    case Case::kPrompt:
      handle_.Prompt(FromProto(request.prompt()));
      break;
    case Case::kCredit:
      handle_.AddCredit(request.credit().chunks());
      break;
    case Case::kAck:
      handle_.Ack(request.ack().chunk_index());
      break;
    case Case::kPause:
      handle_.SetPaused(request.pause().paused());
      break;
    case Case::kStop:
      handle_.Stop();
      break;
    default:
      handle_.Ping(request.ping().nonce());
  }
  return absl::OkStatus();
}

absl::Status StreamReactor::Start(const v1::Start& start) {
  if (handle_) return OutOfOrder("start: the session has started already");
  absl::StatusOr<StartRequest> request = FromProto(start);
  if (!request.ok()) return request.status();
  absl::StatusOr<SessionHandle> opened =
      manager_->Open(*request, [link = link_] { Wake(link); });
  if (!opened.ok()) return opened.status();
  start_alarm_.Cancel();
  MutexLock lock(&link_->mu);
  handle_ = *std::move(opened);
  if (context_->IsCancelled()) handle_.Cancel();
  PumpLocked();
  return absl::OkStatus();
}

void StreamReactor::InputClosed() {
  if (context_->IsCancelled()) return;
  if (handle_) {
    handle_.InputClosed();
  } else {
    Refuse(OutOfOrder("start: the call ended before it"));
  }
}

void StreamReactor::Refuse(absl::Status status) {
  if (handle_) return handle_.Fail(std::move(status));
  MutexLock lock(&link_->mu);
  FinishLocked(status);
}

void StreamReactor::Wake(const std::shared_ptr<Link>& link) {
  MutexLock lock(&link->mu);
  if (link->reactor != nullptr) link->reactor->PumpLocked();
}

void StreamReactor::PumpLocked() {
  if (finished_ || !handle_) return;
  if (write_in_flight_) {
    if (!cut_off_ && handle_.Aborted()) {
      cut_off_ = true;
      context_->TryCancel();
    }
    return;
  }
  const WriterStep step = handle_.NextStep();
  switch (step.kind) {
    case WriterStep::Kind::kWait:
      return;
    case WriterStep::Kind::kFinish:
    case WriterStep::Kind::kAbort:
      return FinishLocked(step.status);
    case WriterStep::Kind::kWrite:
      break;
  }
  v1::StreamResponse response;
  ToProto(step.message, &response);
  Serialize(response, &response_);
  write_in_flight_ = true;
  StartWrite(&response_);
}

void StreamReactor::OnWriteDone(bool ok) {
  // Before the next write can begin: this message is in front until then.
  handle_.Written();
  MutexLock lock(&link_->mu);
  write_in_flight_ = false;
  // A write that was accepted may well end after OnCancel.
  if (ok && !cancelled_) {
    PumpLocked();
  } else {
    FinishLocked(absl::CancelledError("the client is gone"));
  }
}

void StreamReactor::OnCancel() {
  MutexLock lock(&link_->mu);
  cancelled_ = true;
  if (handle_) handle_.Cancel();
  if (!write_in_flight_) FinishLocked(absl::CancelledError("cancelled"));
}

void StreamReactor::FinishLocked(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

void StreamReactor::OnDone() {
  start_alarm_.Cancel();
  {
    MutexLock lock(&link_->mu);
    link_->reactor = nullptr;
  }
  delete this;
}

}  // namespace qvg
