#ifndef TESTS_FAKES_FAKE_VIDEO_MODEL_H_
#define TESTS_FAKES_FAKE_VIDEO_MODEL_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "server/generator/video_model.h"
#include "tests/fakes/gate.h"

namespace qvg::testing {

// A trivial picture source: every pixel is a function of the seed and of all
// inputs so far. Its state takes memory that grows with every chunk. Controls:
// idle, forward, left and steer, which takes one value; codecs: bf16 and rtn.
class FakeVideoModel : public VideoModel {
 public:
  static constexpr int64_t kChunkBytes = 1000;

  explicit FakeVideoModel(int width = 64, int height = 32,
                          int jobs_at_once = 1);

  const ModelInfo& info() const override { return info_; }
  absl::StatusOr<SessionSpec> Resolve(const SessionSpec& spec) const override;
  SessionBytes BytesOf(const SessionSpec& spec) const override;
  absl::StatusOr<std::unique_ptr<SessionState>> Open(const SessionSpec& spec,
                                                     Reservation cache,
                                                     Reservation host) override;
  void Advance(absl::Span<ChunkJob> jobs) override;

  // Passed before every Open and before every step of a chunk.
  Gate& open_gate() { return open_gate_; }
  Gate& step_gate() { return step_gate_; }
  // A chunk of this index fails, an Open does if it is negative.
  void FailAt(int64_t chunk) { fail_at_ = chunk; }
  int64_t steps_done() const { return steps_done_; }
  // Jobs of the largest Advance so far.
  int most_jobs() const { return most_jobs_; }

 private:
  void Run(ChunkJob& job);
  absl::Status Draw(ChunkJob& job);

  ModelInfo info_;
  Gate open_gate_;
  Gate step_gate_;
  std::atomic<int64_t> fail_at_{1 << 30};
  std::atomic<int64_t> steps_done_{0};
  std::atomic<int> most_jobs_{0};
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_FAKE_VIDEO_MODEL_H_
