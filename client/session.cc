#include "client/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/sha256.h"
#include "client/status.h"

namespace qvg {

absl::StatusOr<std::unique_ptr<Session>> Session::Open(Client& client,
                                                       const v1::Start& start) {
  auto session = std::unique_ptr<Session>(new Session(client));
  v1::StreamRequest request;
  *request.mutable_start() = start;
  session->Write(request);
  v1::StreamResponse response;
  if (!session->stream_->Read(&response)) {
    absl::Status status = session->Finish();
    if (!status.ok()) return status;
    return absl::DataLossError("the stream ended before `started`");
  }
  if (!response.has_started()) {
    return absl::DataLossError("the first response is not `started`");
  }
  session->started_ = std::move(*response.mutable_started());
  return session;
}

Session::Session(Client& client)
    : stream_(client.session_stub().Stream(&context_)) {}

Session::~Session() {
  if (finished_) return;
  Cancel();
  v1::StreamResponse ignored;
  while (stream_->Read(&ignored)) {
  }
  stream_->Finish();
}

void Session::FlowCredit(int chunks, uint64_t total) {
  const uint64_t first = std::min<uint64_t>(chunks, total);
  credit_left_ = total - first;
  if (first > 0) SendCredit(static_cast<uint32_t>(first));
}

void Session::Send(const v1::Action& action) {
  v1::StreamRequest request;
  *request.mutable_action() = action;
  Write(request);
}

void Session::Send(const v1::Prompt& prompt) {
  v1::StreamRequest request;
  *request.mutable_prompt() = prompt;
  Write(request);
}

void Session::SendCredit(uint32_t chunks) {
  v1::StreamRequest request;
  request.mutable_credit()->set_chunks(chunks);
  Write(request);
}

void Session::SendPause(bool paused) {
  v1::StreamRequest request;
  request.mutable_pause()->set_paused(paused);
  Write(request);
}

void Session::SendPing(uint64_t nonce) {
  v1::StreamRequest request;
  request.mutable_ping()->set_nonce(nonce);
  Write(request);
}

void Session::SendStop() {
  v1::StreamRequest request;
  request.mutable_stop();
  Write(request);
}

void Session::Write(const v1::StreamRequest& request) {
  absl::MutexLock lock(&write_mutex_);
  stream_->Write(request);
}

void Session::Cancel() { context_.TryCancel(); }

void Session::Acknowledge() {
  if (!std::exchange(unacknowledged_, false)) return;
  v1::StreamRequest request;
  request.mutable_ack()->set_chunk_index(last_chunk_);
  Write(request);
  if (credit_left_ == 0) return;
  --credit_left_;
  SendCredit(1);
}

absl::StatusOr<SessionEvent> Session::Next() {
  Acknowledge();
  v1::StreamResponse response;
  while (stream_->Read(&response)) {
    switch (response.message_case()) {
      case v1::StreamResponse::kMedia: {
        absl::Status status = AddPart(std::move(*response.mutable_media()));
        if (!status.ok()) return status;
        break;
      }
      case v1::StreamResponse::kChunkDone:
        return FinishChunk(std::move(*response.mutable_chunk_done()));
      case v1::StreamResponse::kReceipt:
        return std::move(*response.mutable_receipt());
      case v1::StreamResponse::kPong:
        return std::move(*response.mutable_pong());
      case v1::StreamResponse::kEnded:
        ended_ = true;
        return std::move(*response.mutable_ended());
      case v1::StreamResponse::kStarted:
        return absl::DataLossError("`started` came twice");
      case v1::StreamResponse::MESSAGE_NOT_SET:
        break;  // a message of a later version
    }
  }
  absl::Status status = Finish();
  if (!status.ok()) return status;
  if (!ended_) return absl::DataLossError("the stream ended before `ended`");
  return absl::OutOfRangeError("the session has ended");
}

absl::Status Session::AddPart(v1::MediaPart part) {
  if (part.init_segment()) {
    init_segment_.append(part.data());
    return absl::OkStatus();
  }
  if (last_part_ || part.part_index() != next_part_) {
    return absl::DataLossError(
        absl::StrCat("part_index of chunk ", part.chunk_index(), " is ",
                     part.part_index(), "; expected ",
                     last_part_ ? "no more parts" : absl::StrCat(next_part_)));
  }
  ++next_part_;
  last_part_ = part.last();
  if (media_.empty() || media_.back().frame_index != part.frame_index()) {
    media_.push_back({part.frame_index(), ""});
  }
  media_.back().data.append(part.data());
  return absl::OkStatus();
}

absl::StatusOr<SessionEvent> Session::FinishChunk(v1::ChunkDone done) {
  if (!last_part_) {
    return absl::DataLossError(absl::StrCat("chunk ", done.chunk_index(),
                                            " is done before its last part"));
  }
  Chunk chunk;
  chunk.done = std::move(done);
  chunk.media = std::exchange(media_, {});
  next_part_ = 0;
  last_part_ = false;
  unacknowledged_ = true;
  last_chunk_ = chunk.done.chunk_index();
  if (started_.output_format() == v1::OUTPUT_FORMAT_RAW_RGB24 &&
      Sha256(chunk.media[0].data) != chunk.done.frames_sha256()) {
    return absl::DataLossError(absl::StrCat("frames of chunk ", last_chunk_,
                                            " do not match their SHA-256"));
  }
  return chunk;
}

absl::Status Session::Finish() {
  if (!std::exchange(finished_, true)) {
    final_status_ = FromGrpc(stream_->Finish());
  }
  return final_status_;
}

}  // namespace qvg
