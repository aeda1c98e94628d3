#include "tests/client/fake_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/sha256.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace qvg {
namespace {

absl::string_view Text(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// One stream in progress.
struct FakeServer::Run {
  FakeServer& server;
  Wire& stream;
  v1::Start start;
  std::unique_ptr<MediaEncoder> encoder;
  std::vector<std::string> controls;  // by frame
  uint64_t chunks = 0;

  const FakeBehavior& behavior() const { return server.behavior_; }

  void Open();
  bool Handle(const v1::StreamRequest& request);
  void Handle(const v1::Action& action);
  void Receipt(uint64_t event_id, v1::ReceiptState state);
  bool MakeChunk();
  void SendMedia(const std::vector<uint8_t>& rgb);
  void SendParts(const MediaUnit& unit, bool last_unit, uint32_t* part);
  void End(v1::EndedReason reason);
};

void FakeServer::Run::Open() {
  MediaSpec spec;
  switch (start.output_format()) {
    case v1::OUTPUT_FORMAT_RAW_RGB24:
      spec.format = MediaFormat::kRawRgb24;
      break;
    case v1::OUTPUT_FORMAT_JPEG:
      spec.format = MediaFormat::kJpeg;
      break;
    default:
      spec.format = MediaFormat::kH264Fmp4;
  }
  spec.width = kWidth;
  spec.height = kHeight;
  spec.fps_numerator = 16;
  encoder = *NewMediaEncoder(spec);
  v1::StreamResponse response;
  v1::Started& started = *response.mutable_started();
  started.set_session_id("s1");
  started.set_model("fake");
  *started.mutable_cache_spec() = start.cache_spec();
  if (!start.has_cache_spec()) started.mutable_cache_spec()->set_codec("bf16");
  started.set_steps(start.steps() > 0 ? start.steps() : 3);
  started.set_output_format(start.output_format());
  started.set_width(kWidth);
  started.set_height(kHeight);
  started.set_fps_numerator(16);
  started.set_fps_denominator(1);
  started.set_frames_per_chunk(kChunkFrames);
  started.mutable_limits()->set_max_credit_chunks(8);
  if (!behavior().skip_started) stream.Write(response);
}

void FakeServer::Run::Receipt(uint64_t event_id, v1::ReceiptState state) {
  v1::StreamResponse response;
  response.mutable_receipt()->set_event_id(event_id);
  response.mutable_receipt()->set_state(state);
  response.mutable_receipt()->set_reason(behavior().reject_actions);
  stream.Write(response);
}

void FakeServer::Run::Handle(const v1::Action& action) {
  Receipt(action.event_id(), v1::RECEIPT_STATE_RECEIVED);
  if (!behavior().reject_actions.empty()) {
    return Receipt(action.event_id(), v1::RECEIPT_STATE_REJECTED);
  }
  if (action.has_start_frame()) {
    controls.resize(action.start_frame(), "idle");
  }
  for (const v1::Control& control : action.controls()) {
    controls.insert(controls.end(), control.frames(), control.name());
  }
  Receipt(action.event_id(), v1::RECEIPT_STATE_APPLIED);
}

// False once the stream has ended.
bool FakeServer::Run::Handle(const v1::StreamRequest& request) {
  if (request.has_action()) Handle(request.action());
  if (request.has_ping()) {
    v1::StreamResponse response;
    response.mutable_pong()->set_nonce(request.ping().nonce());
    stream.Write(response);
  }
  for (uint32_t i = 0; i < request.credit().chunks(); ++i) {
    if (!MakeChunk()) return false;
  }
  if (!request.has_stop()) return true;
  End(v1::ENDED_REASON_STOPPED);
  return false;
}

void FakeServer::Run::SendParts(const MediaUnit& unit, bool last_unit,
                                uint32_t* part) {
  for (size_t at = 0; at < unit.data.size(); at += behavior().part_bytes) {
    v1::StreamResponse response;
    v1::MediaPart& media = *response.mutable_media();
    media.set_chunk_index(chunks);
    media.set_part_index((*part)++);
    media.set_frame_index(unit.frame_index);
    media.set_data(unit.data.substr(at, behavior().part_bytes));
    media.set_last(last_unit && at + behavior().part_bytes >= unit.data.size());
    if (media.last() && behavior().drop_last_part) return;
    stream.Write(response);
  }
}

void FakeServer::Run::SendMedia(const std::vector<uint8_t>& rgb) {
  if (chunks == 0 && !encoder->InitSegment().empty()) {
    v1::StreamResponse response;
    response.mutable_media()->set_init_segment(true);
    response.mutable_media()->set_last(true);
    response.mutable_media()->set_data(std::string(encoder->InitSegment()));
    stream.Write(response);
  }
  const std::vector<MediaUnit> units = *encoder->Encode(rgb);
  uint32_t part = 0;
  for (const MediaUnit& unit : units) {
    SendParts(unit, &unit == &units.back(), &part);
  }
}

bool FakeServer::Run::MakeChunk() {
  std::vector<uint8_t> rgb;
  for (uint64_t i = 0; i < kChunkFrames; ++i) {
    const uint64_t frame = chunks * kChunkFrames + i;
    const auto picture =
        Frame(start.seed(), frame,
              frame < controls.size() ? controls[frame] : "idle");
    rgb.insert(rgb.end(), picture.begin(), picture.end());
  }
  SendMedia(rgb);
  v1::StreamResponse response;
  v1::ChunkDone& done = *response.mutable_chunk_done();
  done.set_chunk_index(chunks);
  done.set_first_frame(chunks * kChunkFrames);
  done.set_frames(kChunkFrames);
  done.set_deadline(v1::DEADLINE_STATE_MET);
  done.set_history_bf16_bytes(7000 * (chunks + 1));
  done.set_history_bytes(1000 * (chunks + 1));
  done.set_packed_span_ratio(7.5);
  done.set_whole_session_ratio(5);
  done.set_frames_sha256(behavior().wrong_hash ? std::string(32, 'x')
                                               : Sha256(Text(rgb)));
  stream.Write(response);
  ++chunks;
  if (server.on_chunk_ != nullptr) server.on_chunk_(chunks);
  if (chunks == behavior().break_after_chunks) return false;
  if (chunks == behavior().end_after_chunks) {
    End(v1::ENDED_REASON_DRAINING);
    return false;
  }
  if (done.chunk_index() + 1 == start.max_chunks()) {
    End(v1::ENDED_REASON_STOPPED);
    return false;
  }
  return true;
}

void FakeServer::Run::End(v1::EndedReason reason) {
  v1::StreamResponse response;
  response.mutable_ended()->set_reason(reason);
  response.mutable_ended()->set_chunks(chunks);
  response.mutable_ended()->set_frames(chunks * kChunkFrames);
  stream.Write(response);
}

FakeServer::FakeServer(FakeBehavior behavior) : behavior_(std::move(behavior)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(static_cast<v1::SessionService::Service*>(this));
  builder.RegisterService(static_cast<v1::ServerService::Service*>(this));
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::vector<uint8_t> FakeServer::Frame(uint64_t seed, uint64_t frame,
                                       const std::string& control) {
  const uint8_t tint = control.empty() ? 0 : control[0];
  std::vector<uint8_t> rgb;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      rgb.push_back(8 * x);
      rgb.push_back(tint);
      rgb.push_back(4 * frame + seed + y);
    }
  }
  return rgb;
}

std::vector<v1::StreamRequest> FakeServer::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

std::vector<std::string> FakeServer::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

grpc::Status FakeServer::Stream(grpc::ServerContext*, Wire* stream) {
  std::unique_ptr<Run> run;
  v1::StreamRequest request;
  while (stream->Read(&request)) {
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(request);
    }
    if (run != nullptr) {
      if (!run->Handle(request)) break;
      continue;
    }
    if (!behavior_.refuse.ok()) return behavior_.refuse;
    run.reset(new Run{*this, *stream, request.start(), nullptr, {}});
    run->Open();
    if (behavior_.skip_started) break;
  }
  if (run != nullptr && run->chunks == behavior_.break_after_chunks) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the wire broke");
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::ListSessions(grpc::ServerContext*,
                                      const v1::ListSessionsRequest*,
                                      v1::ListSessionsResponse* response) {
  v1::SessionSummary& session = *response->add_sessions();
  session.set_session_id("s1");
  session.set_model("fake");
  session.set_state("active");
  session.set_chunks(12);
  v1::CacheBytes& bytes = *session.add_cache_bytes();
  bytes.set_kind("span");
  bytes.set_bytes(2048);
  return grpc::Status::OK;
}

grpc::Status FakeServer::CloseSession(grpc::ServerContext*,
                                      const v1::CloseSessionRequest* request,
                                      v1::CloseSessionResponse*) {
  if (request->session_id() != "s1") {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "session_id is unknown");
  }
  absl::MutexLock lock(&mutex_);
  closed_.push_back(request->session_id());
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetServerInfo(grpc::ServerContext*,
                                       const v1::GetServerInfoRequest*,
                                       v1::GetServerInfoResponse* response) {
  response->set_version("9.9.9");
  response->set_device("fake device");
  response->set_max_sessions(8);
  return grpc::Status::OK;
}

grpc::Status FakeServer::ListModels(grpc::ServerContext*,
                                    const v1::ListModelsRequest*,
                                    v1::ListModelsResponse* response) {
  v1::Model& model = *response->add_models();
  model.set_name("fake");
  model.set_description("a picture of numbers");
  model.set_width(kWidth);
  model.set_height(kHeight);
  model.set_fps_numerator(16);
  model.set_fps_denominator(1);
  model.set_frames_per_chunk(kChunkFrames);
  model.set_default_steps(3);
  for (const char* name : {"idle", "forward", "left", "right"}) {
    model.add_controls()->set_name(name);
  }
  model.add_codecs("bf16");
  model.mutable_default_cache_spec()->set_codec("bf16");
  return grpc::Status::OK;
}

}  // namespace qvg
