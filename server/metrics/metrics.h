#ifndef SERVER_METRICS_METRICS_H_
#define SERVER_METRICS_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace qvg {

// What does not change while the process lives; becomes qvg_build_info and
// the buckets of chunk times.
struct MetricsOptions {
  std::string version;
  std::string device;
  std::string model;
  // Playback time of one chunk: buckets crowd around it.
  double chunk_period_seconds = 0.25;
};

// Bytes of one tier of the memory pool.
struct PoolBytes {
  int64_t total = 0;     // capacity
  int64_t reserved = 0;  // set aside for sessions
  int64_t used = 0;      // held by sessions
  int64_t wasted = 0;    // lost to page granularity
};

enum class DeadlineResult { kMet, kMissed, kInfeasible };

// Every figure that Prometheus sees, one recording method each. Names and
// units are in server/metrics/README.md. Nothing is ever labelled by session.
// Thread-safe; recording takes no lock that is held for long.
//
// `state`, `tier`, `kind`, `stage` and `reason` become label values: constant
// words of the code, never text from a client.
class Metrics {
 public:
  explicit Metrics(const MetricsOptions& options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Sessions.
  void SetSessions(absl::string_view state, int64_t count);
  void SetSessionBytes(absl::string_view tier, absl::string_view kind,
                       int64_t bytes);
  // Finished chunks that wait for clients, over all sessions.
  void SetOutbox(int64_t chunks, int64_t bytes);
  void AddSessionOpened();
  void AddSessionEnded(absl::string_view reason);
  void AddAdmissionRejected(absl::string_view reason);
  void SetDraining(bool draining);

  // Memory.
  void SetPoolBytes(absl::string_view tier, const PoolBytes& bytes);
  // BF16 bytes of the packed history of all live sessions over what it takes.
  void SetKvCompressionRatio(double ratio);

  // Generation and delivery.
  void ObserveTimeToFirstFrame(double seconds);
  // Stages: queue, denoise, kv_commit, pack, decode, encode.
  void ObserveChunkStage(absl::string_view stage, double seconds);
  // Between two chunks of one session, both against open credit.
  void ObserveChunkInterval(double seconds);
  void AddDeadline(DeadlineResult result);
  // Time by which a missed deadline was late.
  void AddStall(double seconds);
  void AddFrames(int64_t frames);
  void AddSentBytes(int64_t bytes);
  // A client took so long to accept a write that its stream was ended.
  void AddWriteStall();

  // Everything in the Prometheus text format.
  std::string Serialize() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace qvg

#endif  // SERVER_METRICS_METRICS_H_
