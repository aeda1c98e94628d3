#include "server/metrics/metrics.h"

#include <sstream>
#include <vector>

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace qvg {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

// Half of them within 25 % of the period, where a deadline is won or lost.
Buckets PeriodBuckets(double period) {
  Buckets buckets;
  for (double share : {0.1, 0.25, 0.5, 0.75, 0.85, 0.95, 1.0, 1.05, 1.15, 1.25,
                       1.5, 2.0, 3.0, 5.0, 10.0}) {
    buckets.push_back(share * period);
  }
  return buckets;
}

// Stages are parts of a period, some of them (encode) small ones.
Buckets StageBuckets(double period) {
  Buckets buckets;
  for (double share : {0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6,
                       0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 4.0}) {
    buckets.push_back(share * period);
  }
  return buckets;
}

Buckets FirstFrameBuckets() {
  return {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60};
}

std::string Word(absl::string_view word) { return std::string(word); }

}  // namespace

struct Metrics::Families {
  explicit Families(const MetricsOptions& options);

  Registry registry;
  Buckets stage_buckets;
  Family<Gauge>& sessions;
  Family<Gauge>& session_bytes;
  Gauge& outbox_chunks;
  Gauge& outbox_bytes;
  Counter& sessions_opened;
  Family<Counter>& sessions_ended;
  Family<Counter>& admission_rejected;
  Gauge& draining;
  Family<Gauge>& pool_bytes;
  Gauge& compression_ratio;
  Histogram& ttff;
  Family<Histogram>& chunk_stage;
  Histogram& chunk_interval;
  Family<Counter>& deadline;
  Counter& stall;
  Counter& frames;
  Counter& sent_bytes;
  Counter& write_stalls;

 private:
  Family<Gauge>& GaugeFamily(const char* name, const char* help) {
    return BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Counter>& CounterFamily(const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& HistogramFamily(const char* name, const char* help) {
    return BuildHistogram().Name(name).Help(help).Register(registry);
  }
};

Metrics::Families::Families(const MetricsOptions& options)
    : stage_buckets(StageBuckets(options.chunk_period_seconds)),
      sessions(GaugeFamily("qvg_sessions", "Live sessions by state.")),
      session_bytes(GaugeFamily("qvg_session_bytes",
                                "Bytes that sessions hold, by tier and kind.")),
      outbox_chunks(GaugeFamily("qvg_outbox_chunks",
                                "Finished chunks that wait for clients.")
                        .Add({})),
      outbox_bytes(
          GaugeFamily("qvg_outbox_bytes", "Media bytes that wait for clients.")
              .Add({})),
      sessions_opened(CounterFamily("qvg_sessions_opened_total",
                                    "Sessions that were admitted.")
                          .Add({})),
      sessions_ended(CounterFamily("qvg_sessions_ended_total",
                                   "Sessions that ended, by reason.")),
      admission_rejected(CounterFamily("qvg_admission_rejected_total",
                                       "Sessions that were refused.")),
      draining(GaugeFamily("qvg_draining",
                           "1 while the server finishes and takes no session.")
                   .Add({})),
      pool_bytes(GaugeFamily("qvg_pool_bytes",
                             "Bytes of the memory pool, by tier and state.")),
      compression_ratio(
          GaugeFamily("qvg_kv_compression_ratio",
                      "BF16 bytes of the packed history over its own bytes.")
              .Add({})),
      ttff(HistogramFamily("qvg_ttff_seconds",
                           "From the start message to the first chunk sent.")
               .Add({}, FirstFrameBuckets())),
      chunk_stage(
          HistogramFamily("qvg_chunk_seconds", "Time of one chunk, by stage.")),
      chunk_interval(
          HistogramFamily("qvg_chunk_interval_seconds",
                          "Between two chunks of a session that had credit.")
              .Add({}, PeriodBuckets(options.chunk_period_seconds))),
      deadline(CounterFamily("qvg_deadline_total",
                             "Playback deadlines of chunks, by result.")),
      stall(CounterFamily("qvg_stall_seconds_total",
                          "Time by which chunks missed their deadlines.")
                .Add({})),
      frames(CounterFamily("qvg_frames_total", "Frames generated.").Add({})),
      sent_bytes(
          CounterFamily("qvg_sent_bytes_total", "Media bytes sent.").Add({})),
      write_stalls(CounterFamily("qvg_write_stalls_total",
                                 "Streams ended because writing stood still.")
                       .Add({})) {
  GaugeFamily("qvg_build_info", "Always 1; the labels tell what runs.")
      .Add({{"version", options.version},
            {"device", options.device},
            {"model", options.model}})
      .Set(1);
  // A rate over a series that has just appeared misses its first events.
  for (const char* result : {"met", "missed", "infeasible"}) {
    deadline.Add({{"result", result}});
  }
}

Metrics::Metrics(const MetricsOptions& options)
    : families_(std::make_unique<Families>(options)) {}

Metrics::~Metrics() = default;

void Metrics::SetSessions(absl::string_view state, int64_t count) {
  families_->sessions.Add({{"state", Word(state)}}).Set(count);
}

void Metrics::SetSessionBytes(absl::string_view tier, absl::string_view kind,
                              int64_t bytes) {
  families_->session_bytes.Add({{"tier", Word(tier)}, {"kind", Word(kind)}})
      .Set(bytes);
}

void Metrics::SetOutbox(int64_t chunks, int64_t bytes) {
  families_->outbox_chunks.Set(chunks);
  families_->outbox_bytes.Set(bytes);
}

void Metrics::AddSessionOpened() { families_->sessions_opened.Increment(); }

void Metrics::AddSessionEnded(absl::string_view reason) {
  families_->sessions_ended.Add({{"reason", Word(reason)}}).Increment();
}

void Metrics::AddAdmissionRejected(absl::string_view reason) {
  families_->admission_rejected.Add({{"reason", Word(reason)}}).Increment();
}

void Metrics::SetDraining(bool draining) { families_->draining.Set(draining); }

void Metrics::SetPoolBytes(absl::string_view tier, const PoolBytes& bytes) {
  const auto set = [&](const char* state, int64_t value) {
    families_->pool_bytes.Add({{"tier", Word(tier)}, {"state", state}})
        .Set(value);
  };
  set("total", bytes.total);
  set("reserved", bytes.reserved);
  set("used", bytes.used);
  set("wasted", bytes.wasted);
}

void Metrics::SetKvCompressionRatio(double ratio) {
  families_->compression_ratio.Set(ratio);
}

void Metrics::ObserveTimeToFirstFrame(double seconds) {
  families_->ttff.Observe(seconds);
}

void Metrics::ObserveChunkStage(absl::string_view stage, double seconds) {
  families_->chunk_stage.Add({{"stage", Word(stage)}}, families_->stage_buckets)
      .Observe(seconds);
}

void Metrics::ObserveChunkInterval(double seconds) {
  families_->chunk_interval.Observe(seconds);
}

void Metrics::AddDeadline(DeadlineResult result) {
  static constexpr const char* kNames[] = {"met", "missed", "infeasible"};
  families_->deadline.Add({{"result", kNames[static_cast<int>(result)]}})
      .Increment();
}

void Metrics::AddStall(double seconds) { families_->stall.Increment(seconds); }

void Metrics::AddFrames(int64_t frames) { families_->frames.Increment(frames); }

void Metrics::AddSentBytes(int64_t bytes) {
  families_->sent_bytes.Increment(bytes);
}

void Metrics::AddWriteStall() { families_->write_stalls.Increment(); }

std::string Metrics::Serialize() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_->registry.Collect());
  return out.str();
}

}  // namespace qvg
