#include "tests/fakes/fake_video_model.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg::testing {
namespace {

// What the state remembers, at the head of model_bytes.
struct Memory {
  uint64_t hash;
  int64_t chunks;
  int64_t steps;
};

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdu;
}

uint64_t Mix(uint64_t hash, const ChunkInputs& inputs) {
  for (const FrameControl& frame : inputs.frames) {
    hash = Mix(hash, frame.control);
    for (float value : frame.values) {
      hash = Mix(hash, std::bit_cast<uint32_t>(value));
    }
  }
  for (char c : inputs.prompt) hash = Mix(hash, static_cast<uint8_t>(c));
  return hash;
}

int64_t StateBytes(int64_t chunks) {
  return static_cast<int64_t>(sizeof(Memory)) +
         chunks * FakeVideoModel::kChunkBytes;
}

}  // namespace

FakeVideoModel::FakeVideoModel(int width, int height, int jobs_at_once) {
  info_.jobs_at_once = jobs_at_once;
  info_.name = "fake";
  info_.description = "a trivial picture source";
  info_.width = width;
  info_.height = height;
  info_.fps_numerator = 16;
  info_.frames_per_chunk = 4;
  info_.default_steps = 3;
  info_.max_steps = 8;
  info_.takes_prompt = true;
  info_.controls = {{"idle", 0, "stand still"},
                    {"forward", 0, "go"},
                    {"left", 0, "turn"},
                    {"steer", 1, "turn by a value"}};
  info_.layout = {1, 64, 16, {0}};
  info_.codecs = {"bf16", "rtn"};
  info_.default_cache_spec.codec = "bf16";
  info_.fingerprint = "fake-1";
  info_.device = "cpu: fake";
}

absl::StatusOr<SessionSpec> FakeVideoModel::Resolve(
    const SessionSpec& spec) const {
  SessionSpec resolved = spec;
  if (resolved.steps == 0) resolved.steps = info_.default_steps;
  CacheSpec& cache = resolved.cache_spec;
  if (cache.codec.empty()) cache.codec = info_.default_cache_spec.codec;
  if (std::find(info_.codecs.begin(), info_.codecs.end(), cache.codec) ==
      info_.codecs.end()) {
    return absl::NotFoundError(absl::StrCat("cache_spec.codec: \"", cache.codec,
                                            "\" is none of bf16, rtn"));
  }
  const bool takes_bits = cache.codec == "rtn";
  if (cache.bits != 0 && !takes_bits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cache_spec.bits: ", cache.bits, " with codec bf16, which takes none"));
  }
  if (takes_bits && cache.bits == 0) cache.bits = 2;
  if (cache.tail_chunks < 0) cache.tail_chunks = 0;
  if (cache.sink_chunks < 0) cache.sink_chunks = 0;
  return resolved;
}

SessionBytes FakeVideoModel::BytesOf(const SessionSpec& spec) const {
  // A grown copy is made beside the old one.
  return {2 * MemoryPool::ReservationFor(StateBytes(spec.max_chunks)), 0};
}

absl::StatusOr<std::unique_ptr<SessionState>> FakeVideoModel::Open(
    const SessionSpec& spec, Reservation cache, Reservation) {
  open_gate_.Pass();
  if (fail_at_ < 0) return absl::InternalError("the fake fails to open");
  auto state = std::make_unique<SessionState>();
  state->reservation = std::move(cache);
  auto bytes = state->reservation.Allocate(BytesKind::kBoundary, StateBytes(0));
  if (!bytes.ok()) return bytes.status();
  state->boundary.model_bytes = *std::move(bytes);
  uint64_t hash = Mix(1, spec.seed);
  for (char c : spec.prompt) hash = Mix(hash, static_cast<uint8_t>(c));
  const Memory memory = {hash, 0, spec.steps};
  std::memcpy(state->boundary.model_bytes.bytes().data(), &memory,
              sizeof(memory));
  return state;
}

void FakeVideoModel::Advance(absl::Span<ChunkJob> jobs) {
  most_jobs_ = std::max<int>(most_jobs_, jobs.size());
  for (ChunkJob& job : jobs) Run(job);
}

void FakeVideoModel::Run(ChunkJob& job) {
  Memory memory;
  std::memcpy(&memory, job.state->boundary.model_bytes.bytes().data(),
              sizeof(memory));
  for (int64_t step = 0; step < memory.steps; ++step) {
    step_gate_.Pass();
    if (job.cancelled != nullptr && *job.cancelled) {
      job.status = absl::CancelledError("cancelled between two steps");
      return;
    }
    ++steps_done_;
  }
  job.status = memory.chunks == fail_at_
                   ? absl::InternalError("the fake fails a chunk")
                   : Draw(job);
}

absl::Status FakeVideoModel::Draw(ChunkJob& job) {
  SessionState& state = *job.state;
  Memory memory;
  std::memcpy(&memory, state.boundary.model_bytes.bytes().data(),
              sizeof(memory));
  memory.hash = Mix(memory.hash, *job.inputs);
  ++memory.chunks;
  auto grown = state.reservation.Allocate(BytesKind::kBoundary,
                                          StateBytes(memory.chunks));
  if (!grown.ok()) return grown.status();
  std::memcpy(grown->bytes().data(), &memory, sizeof(memory));
  state.boundary.model_bytes = *std::move(grown);
  job.rgb.resize(static_cast<size_t>(info_.frames_per_chunk) * info_.height *
                 info_.width * 3);
  uint64_t pixel = memory.hash;
  for (size_t i = 0; i < job.rgb.size(); ++i) {
    // Flat 8 x 8 squares, so that the encoders have an easy life.
    if (i % 24 == 0) pixel = Mix(pixel, i);
    job.rgb[i] = static_cast<uint8_t>(pixel >> (i % 3 * 8));
  }
  job.stages.denoise = 0.001;
  return absl::OkStatus();
}

}  // namespace qvg::testing
