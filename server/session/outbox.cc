#include "server/session/outbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg {

int64_t OutboxChunk::bytes() const {
  int64_t bytes = 0;
  for (const OutboxUnit& unit : units) bytes += unit.data.size();
  return bytes;
}

absl::Status Outbox::PushReply(Message reply) {
  if (replies_.size() >= kMaxReplies) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "replies: ", replies_.size(),
        " wait for a client that does not read, the limit is ", kMaxReplies));
  }
  replies_.push_back(std::move(reply));
  return absl::OkStatus();
}

void Outbox::PushChunk(OutboxChunk chunk) {
  chunks_.push_back(std::move(chunk));
}

void Outbox::Clear() {
  replies_.resize(front_ == Lane::kReply ? 1 : 0);
  chunks_.resize(front_ == Lane::kMedia ? 1 : 0);
  end_.reset();
  cleared_ = true;
}

std::optional<Message> Outbox::Front() {
  if (!replies_.empty()) {
    front_ = Lane::kReply;
    return replies_.front();
  }
  if (!chunks_.empty()) {
    front_ = Lane::kMedia;
    if (AtReport()) return chunks_.front().report;
    return CurrentPart();
  }
  if (end_) {
    front_ = Lane::kEnd;
    return *end_;
  }
  return std::nullopt;
}

MediaPart Outbox::CurrentPart() const {
  const std::vector<OutboxUnit>& units = chunks_.front().units;
  const OutboxUnit& unit = units[unit_];
  MediaPart part;
  part.chunk = chunks_.front().report.chunk;
  part.part = part_;
  part.init_segment = unit.init_segment;
  part.frame_index = unit.frame_index;
  part.data = unit.data.bytes().subspan(offset_, kMaxPartBytes);
  part.last = offset_ + part.data.size() == unit.data.size() &&
              (unit.init_segment || unit_ + 1 == units.size());
  return part;
}

Outbox::Departure Outbox::Pop() {
  const Lane lane = std::exchange(front_, Lane::kNone);
  if (lane == Lane::kReply) replies_.pop_front();
  if (lane == Lane::kEnd) end_.reset();
  Departure departure;
  if (lane == Lane::kMedia) departure = PopMedia();
  if (cleared_) chunks_.clear();
  return departure;
}

Outbox::Departure Outbox::PopMedia() {
  Departure departure;
  if (AtReport()) {
    departure = {true, chunks_.front().bytes()};
    chunks_.pop_front();
    unit_ = 0;
    return departure;
  }
  const OutboxUnit& unit = chunks_.front().units[unit_];
  offset_ = std::min(offset_ + kMaxPartBytes, unit.data.size());
  ++part_;
  if (offset_ < unit.data.size()) return departure;
  const bool last = unit_ + 1 == chunks_.front().units.size();
  if (unit.init_segment || last) part_ = 0;
  ++unit_;
  offset_ = 0;
  return departure;
}

}  // namespace qvg
