#include "server/metrics/metrics.h"

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;
using testing::Not;

MetricsOptions Options() {
  MetricsOptions options;
  options.version = "1.2.3";
  options.device = "cpu";
  options.model = "tinyworld";
  options.chunk_period_seconds = 0.25;
  return options;
}

// Touches every series once.
void RecordEverything(Metrics& metrics) {
  metrics.SetSessions("active", 2);
  metrics.SetSessionBytes("device", "span", 1000);
  metrics.SetOutbox(3, 4096);
  metrics.AddSessionOpened();
  metrics.AddSessionEnded("stopped");
  metrics.AddAdmissionRejected("budget");
  metrics.SetDraining(true);
  metrics.SetPoolBytes("device", {100, 50, 40, 3});
  metrics.SetKvCompressionRatio(7.25);
  metrics.ObserveTimeToFirstFrame(0.2);
  metrics.ObserveChunkStage("denoise", 0.1);
  metrics.ObserveChunkInterval(0.25);
  metrics.AddDeadline(DeadlineResult::kMet);
  metrics.AddStall(1.5);
  metrics.AddFrames(4);
  metrics.AddSentBytes(777);
  metrics.AddWriteStall();
}

TEST(Metrics, EveryFigureIsThereUnderItsName) {
  Metrics metrics(Options());
  RecordEverything(metrics);
  const std::string text = metrics.Serialize();
  for (const char* line : {
           "qvg_sessions{state=\"active\"} 2\n",
           "qvg_session_bytes{kind=\"span\",tier=\"device\"} 1000\n",
           "qvg_outbox_chunks 3\n",
           "qvg_outbox_bytes 4096\n",
           "qvg_sessions_opened_total 1\n",
           "qvg_sessions_ended_total{reason=\"stopped\"} 1\n",
           "qvg_admission_rejected_total{reason=\"budget\"} 1\n",
           "qvg_draining 1\n",
           "qvg_pool_bytes{state=\"total\",tier=\"device\"} 100\n",
           "qvg_pool_bytes{state=\"reserved\",tier=\"device\"} 50\n",
           "qvg_pool_bytes{state=\"used\",tier=\"device\"} 40\n",
           "qvg_pool_bytes{state=\"wasted\",tier=\"device\"} 3\n",
           "qvg_kv_compression_ratio 7.25\n",
           "qvg_ttff_seconds_count 1\n",
           "qvg_chunk_seconds_count{stage=\"denoise\"} 1\n",
           "qvg_chunk_interval_seconds_sum 0.25\n",
           "qvg_deadline_total{result=\"met\"} 1\n",
           "qvg_deadline_total{result=\"missed\"} 0\n",
           "qvg_deadline_total{result=\"infeasible\"} 0\n",
           "qvg_stall_seconds_total 1.5\n",
           "qvg_frames_total 4\n",
           "qvg_sent_bytes_total 777\n",
           "qvg_write_stalls_total 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("version=\"1.2.3\""));
  EXPECT_THAT(text, HasSubstr("device=\"cpu\""));
  EXPECT_THAT(text, HasSubstr("model=\"tinyworld\""));
}

TEST(Metrics, GaugesGoDownAgain) {
  Metrics metrics(Options());
  metrics.SetSessions("active", 5);
  metrics.SetSessions("active", 0);
  metrics.SetDraining(true);
  metrics.SetDraining(false);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("qvg_sessions{state=\"active\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("qvg_draining 0\n"));
}

TEST(Metrics, BucketsCrowdAroundTheChunkPeriod) {
  MetricsOptions options = Options();
  options.chunk_period_seconds = 2;
  Metrics metrics(options);
  metrics.ObserveChunkInterval(2.05);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text,
              HasSubstr("qvg_chunk_interval_seconds_bucket{le=\"2\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("qvg_chunk_interval_seconds_bucket{le=\"2.1\"} 1\n"));
}

TEST(Metrics, CountsFromManyThreads) {
  Metrics metrics(Options());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        metrics.AddFrames(2);
        metrics.ObserveChunkStage("decode", 0.01);
        metrics.AddDeadline(DeadlineResult::kMissed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("qvg_frames_total 4000\n"));
  EXPECT_THAT(text,
              HasSubstr("qvg_chunk_seconds_count{stage=\"decode\"} 2000\n"));
  EXPECT_THAT(text, HasSubstr("qvg_deadline_total{result=\"missed\"} 2000\n"));
}

// A label of a session's id would make a new series for every session.
TEST(Metrics, NothingIsLabelledBySession) {
  Metrics metrics(Options());
  RecordEverything(metrics);
  EXPECT_THAT(metrics.Serialize(), Not(HasSubstr("session_id")));
}

TEST(Metrics, PassesPromtool) {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed (Debian package prometheus)";
  }
  Metrics metrics(Options());
  RecordEverything(metrics);
  FILE* promtool = popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = metrics.Serialize();
  ASSERT_EQ(fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0);
}

}  // namespace
}  // namespace qvg
