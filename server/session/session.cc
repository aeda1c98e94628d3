#include "server/session/session.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg {

Session::Session(SessionParts parts)
    : parts_(std::move(parts)),
      reserved_bytes_(parts_.cache_memory.reserved_bytes() +
                      parts_.model_host_memory.reserved_bytes() +
                      parts_.own_memory.reserved_bytes()),
      inputs_(parts_.model, parts_.limits, std::move(parts_.input_memory)) {
  Started started;
  started.session_id = parts_.name;
  started.model = parts_.model;
  started.spec = parts_.plan.spec;
  started.format = parts_.plan.media.format;
  started.limits = parts_.limits;
  started.reserved_bytes = reserved_bytes_;
  outbox_.PushReply(std::move(started)).IgnoreError();  // the first
  news_ = true;
}

KindBytes Session::HeldBytes() const {
  KindBytes held{};
  for (int i = 0; i < kBytesKinds; ++i) {
    const auto kind = static_cast<BytesKind>(i);
    held[i] = parts_.own_memory.used_bytes(kind);
    if (work_.state != nullptr) {
      held[i] += work_.state->reservation.used_bytes(kind) +
                 work_.state->host.used_bytes(kind);
    }
  }
  return held;
}

absl::Status Session::AddAction(const ActionRequest& action) {
  std::vector<Receipt> receipts;
  absl::Status status = inputs_.AddAction(action, &receipts);
  if (status.ok()) status = PushReceipts(std::move(receipts));
  return status;
}

absl::Status Session::SetPrompt(const PromptRequest& prompt) {
  std::vector<Receipt> receipts;
  absl::Status status = inputs_.SetPrompt(prompt, &receipts);
  if (status.ok()) status = PushReceipts(std::move(receipts));
  return status;
}

absl::Status Session::Ping(uint64_t nonce) {
  news_ = true;
  return outbox_.PushReply(Pong{nonce});
}

absl::Status Session::Ack(uint64_t chunk) const {
  if (chunk < static_cast<uint64_t>(chunks_offered_)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("ack.chunk_index: ", chunk, " was not sent, ",
                   chunks_offered_, " chunks were"));
}

absl::Status Session::PushReceipts(std::vector<Receipt> receipts) {
  if (end_reason_) {
    inputs_.RejectAll(
        absl::StrCat("the session ends: ", ToString(*end_reason_)), &receipts);
  }
  for (Receipt& receipt : receipts) {
    const absl::Status status = outbox_.PushReply(std::move(receipt));
    if (!status.ok()) return status;
    news_ = true;
  }
  return absl::OkStatus();
}

ChunkInputs Session::TakeInputs(int64_t chunk) {
  std::vector<Receipt> receipts;
  ChunkInputs inputs = inputs_.Take(chunk, &receipts);
  absl::Status status = PushReceipts(std::move(receipts));
  if (!status.ok()) Fail(EndReason::kFailed, std::move(status));
  return inputs;
}

void Session::PushChunk(OutboxChunk chunk) {
  ++chunks_complete_;
  history_ = chunk.report.history;
  if (failed_) return;
  outbox_.PushChunk(std::move(chunk));
  news_ = true;
}

void Session::End(EndReason reason) {
  if (end_reason_) return;
  end_reason_ = reason;
  absl::Status status = PushReceipts({});
  if (!status.ok()) return Fail(reason, std::move(status));
  Ended ended;
  ended.reason = reason;
  ended.chunks = chunks_complete_;
  ended.frames = chunks_complete_ * parts_.model->frames_per_chunk;
  outbox_.PushEnd(std::move(ended));
  if (reason == EndReason::kDraining) {
    final_status_ = absl::UnavailableError("the server is draining");
  }
  news_ = true;
}

void Session::Fail(EndReason reason, absl::Status status) {
  if (failed_) return;
  failed_ = true;
  if (!end_reason_) end_reason_ = reason;
  final_status_ = std::move(status);
  work_.cancelled = true;
  outbox_.Clear();
  news_ = true;
}

void Session::Abort() {
  aborted_ = true;
  news_ = true;
}

WriterStep Session::Next() {
  WriterStep step;
  if (aborted_) {
    step.kind = WriterStep::Kind::kAbort;
    step.status = final_status_;
    return step;
  }
  std::optional<Message> message;
  if (!failed_) message = outbox_.Front();
  if (message) {
    // The client may have it, and answer, before Written is called.
    if (const auto* report = std::get_if<ChunkReport>(&*message)) {
      chunks_offered_ = report->chunk + 1;
    }
    step.kind = WriterStep::Kind::kWrite;
    step.message = *std::move(message);
  } else if (end_reason_) {
    step.kind = WriterStep::Kind::kFinish;
    step.status = final_status_;
  }
  return step;
}

Outbox::Departure Session::Written() {
  const Outbox::Departure departure = outbox_.Pop();
  chunks_sent_ += departure.chunk;
  return departure;
}

}  // namespace qvg
