#include <string>
#include <variant>

#include "absl/time/time.h"
#include "server/rpc/convert.h"

namespace qvg {
namespace {

v1::OutputFormat ToProto(MediaFormat format) {
  switch (format) {
    case MediaFormat::kH264Fmp4:
      return v1::OUTPUT_FORMAT_H264_FMP4;
    case MediaFormat::kJpeg:
      return v1::OUTPUT_FORMAT_JPEG;
    case MediaFormat::kRawRgb24:
      break;
  }
  return v1::OUTPUT_FORMAT_RAW_RGB24;
}

v1::DeadlineState ToProto(DeadlineState state) {
  switch (state) {
    case DeadlineState::kMet:
      return v1::DEADLINE_STATE_MET;
    case DeadlineState::kMissed:
      return v1::DEADLINE_STATE_MISSED;
    case DeadlineState::kInfeasible:
      break;
  }
  return v1::DEADLINE_STATE_INFEASIBLE;
}

v1::EndedReason ToProto(EndReason reason) {
  switch (reason) {
    case EndReason::kStopped:
      return v1::ENDED_REASON_STOPPED;
    case EndReason::kCompleted:
      return v1::ENDED_REASON_COMPLETED;
    case EndReason::kClosed:
      return v1::ENDED_REASON_CLOSED;
    case EndReason::kDraining:
      return v1::ENDED_REASON_DRAINING;
    case EndReason::kTooOld:
    case EndReason::kIdle:
      return v1::ENDED_REASON_EXPIRED;
    case EndReason::kWriteStalled:
    case EndReason::kFailed:
      break;
  }
  return v1::ENDED_REASON_FAILED;
}

v1::ReceiptState ToProto(Receipt::State state) {
  switch (state) {
    case Receipt::State::kReceived:
      return v1::RECEIPT_STATE_RECEIVED;
    case Receipt::State::kApplied:
      return v1::RECEIPT_STATE_APPLIED;
    case Receipt::State::kRejected:
      break;
  }
  return v1::RECEIPT_STATE_REJECTED;
}

template <typename Proto>
void AddCacheBytes(const KindBytes& held, Proto* proto) {
  for (int i = 0; i < kBytesKinds; ++i) {
    v1::CacheBytes* bytes = proto->add_cache_bytes();
    bytes->set_kind(ToString(static_cast<BytesKind>(i)));
    bytes->set_tier("device");
    bytes->set_bytes(held[i]);
  }
}

void Fill(const Started& started, v1::StreamResponse* response) {
  v1::Started* proto = response->mutable_started();
  const ModelInfo& model = *started.model;
  proto->set_session_id(started.session_id);
  proto->set_model(model.name);
  ToProto(started.spec.cache_spec, proto->mutable_cache_spec());
  proto->set_steps(started.spec.steps);
  proto->set_output_format(ToProto(started.format));
  proto->set_width(model.width);
  proto->set_height(model.height);
  proto->set_fps_numerator(model.fps_numerator);
  proto->set_fps_denominator(model.fps_denominator);
  proto->set_frames_per_chunk(model.frames_per_chunk);
  ToProto(started.limits, model, proto->mutable_limits());
  proto->set_reserved_bytes(started.reserved_bytes);
  proto->set_max_chunks(started.spec.max_chunks);
}

void Fill(const Receipt& receipt, v1::StreamResponse* response) {
  v1::Receipt* proto = response->mutable_receipt();
  proto->set_event_id(receipt.event_id);
  proto->set_state(ToProto(receipt.state));
  proto->set_chunk_index(receipt.chunk);
  proto->set_reason(receipt.reason);
}

void Fill(const Pong& pong, v1::StreamResponse* response) {
  response->mutable_pong()->set_nonce(pong.nonce);
}

void Fill(const MediaPart& part, v1::StreamResponse* response) {
  v1::MediaPart* proto = response->mutable_media();
  proto->set_chunk_index(part.chunk);
  proto->set_part_index(part.part);
  proto->set_last(part.last);
  proto->set_init_segment(part.init_segment);
  proto->set_frame_index(part.frame_index);
  proto->set_data(part.data.data(), part.data.size());
}

void Fill(const ChunkReport& report, v1::StageSeconds* proto) {
  proto->set_queue(absl::ToDoubleSeconds(report.queue));
  proto->set_denoise(report.stages.denoise);
  proto->set_kv_commit(report.stages.kv_commit);
  proto->set_pack(report.stages.pack);
  proto->set_decode(report.stages.decode);
  proto->set_encode(absl::ToDoubleSeconds(report.encode));
}

void Fill(const ChunkReport& report, v1::StreamResponse* response) {
  v1::ChunkDone* proto = response->mutable_chunk_done();
  const HistoryBytes& history = report.history;
  proto->set_chunk_index(report.chunk);
  proto->set_first_frame(report.first_frame);
  proto->set_frames(report.frames);
  Fill(report, proto->mutable_stages());
  proto->set_deadline(ToProto(report.deadline.state));
  proto->set_deadline_margin_seconds(
      absl::ToDoubleSeconds(report.deadline.margin));
  AddCacheBytes(report.held, proto);
  proto->set_history_bf16_bytes(history.packed_bf16 + history.unpacked_bf16);
  proto->set_history_bytes(history.packed + history.unpacked);
  proto->set_packed_span_ratio(history.packed_span_ratio());
  proto->set_whole_session_ratio(report.whole_session_ratio);
  proto->set_frames_sha256(report.frames_sha256.data(),
                           report.frames_sha256.size());
}

void Fill(const Ended& ended, v1::StreamResponse* response) {
  v1::Ended* proto = response->mutable_ended();
  proto->set_reason(ToProto(ended.reason));
  proto->set_chunks(ended.chunks);
  proto->set_frames(ended.frames);
  proto->set_detail(ToString(ended.reason));
}

}  // namespace

void ToProto(const Message& message, v1::StreamResponse* response) {
  std::visit([&](const auto& alternative) { Fill(alternative, response); },
             message);
}

void ToProto(const CacheSpec& spec, v1::CacheSpec* proto) {
  proto->set_codec(spec.codec);
  if (spec.bits > 0) proto->set_bits(spec.bits);
  if (spec.block > 0) proto->set_block(spec.block);
  if (spec.centroids > 0) proto->set_centroids(spec.centroids);
  if (spec.stages > 0) proto->set_stages(spec.stages);
  if (spec.iterations > 0) proto->set_iterations(spec.iterations);
  if (spec.span_chunks > 0) proto->set_span_chunks(spec.span_chunks);
  if (spec.tail_chunks >= 0) proto->set_tail_chunks(spec.tail_chunks);
  if (spec.sink_chunks >= 0) proto->set_sink_chunks(spec.sink_chunks);
  proto->set_unpacked(spec.unpacked == ElementType::kF32
                          ? v1::ELEMENT_TYPE_F32
                          : v1::ELEMENT_TYPE_BF16);
}

void ToProto(const SessionLimits& limits, const ModelInfo& model,
             v1::SessionLimits* proto) {
  proto->set_max_credit_chunks(limits.max_credit_chunks);
  proto->set_max_pending_frames(limits.max_pending_frames);
  proto->set_max_prompt_bytes(limits.max_prompt_bytes);
  proto->set_max_message_bytes(limits.max_message_bytes);
  proto->set_max_outbox_chunks(limits.max_outbox_chunks);
  proto->set_max_outbox_bytes(limits.max_outbox_bytes);
  proto->set_max_steps(model.max_steps);
  proto->set_max_chunks(limits.max_chunks);
}

void ToProto(const ModelInfo& model, int64_t session_bytes, v1::Model* proto) {
  proto->set_name(model.name);
  proto->set_description(model.description);
  proto->set_width(model.width);
  proto->set_height(model.height);
  proto->set_fps_numerator(model.fps_numerator);
  proto->set_fps_denominator(model.fps_denominator);
  proto->set_frames_per_chunk(model.frames_per_chunk);
  proto->set_default_steps(model.default_steps);
  proto->set_max_steps(model.max_steps);
  proto->set_takes_prompt(model.takes_prompt);
  for (const ControlInfo& control : model.controls) {
    v1::ControlInfo* info = proto->add_controls();
    info->set_name(control.name);
    info->set_values(control.values);
    info->set_description(control.description);
  }
  for (const std::string& codec : model.codecs) proto->add_codecs(codec);
  ToProto(model.default_cache_spec, proto->mutable_default_cache_spec());
  const KvLayout& layout = model.layout;
  // Keys and values of all layers, two bytes an element.
  proto->set_chunk_bf16_bytes(int64_t{4} * layout.layers() * layout.heads *
                              layout.head_dim * layout.tokens_per_chunk);
  proto->set_session_bytes(session_bytes);
}

void ToProto(const SessionSummary& summary, const ModelInfo& model,
             v1::SessionSummary* proto) {
  proto->set_session_id(summary.name);
  proto->set_model(model.name);
  proto->set_state(summary.state);
  proto->set_chunks(summary.chunks);
  proto->set_frames(summary.frames);
  proto->set_credit(summary.credit);
  proto->set_outbox_chunks(summary.outbox_chunks);
  proto->set_outbox_bytes(summary.outbox_bytes);
  AddCacheBytes(summary.held, proto);
  proto->set_age_seconds(absl::ToDoubleSeconds(summary.age));
}

}  // namespace qvg
