// Eight sessions at once, one of which never reads: the others get their
// chunks as if it were not there, and memory does not grow. The long form,
// with tighter bounds, is tests/bench/eight_sessions_test.cc.

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

constexpr int kReaders = 7;
constexpr double kSeconds = 8;
// The suite shares its machine with other tests.
constexpr double kSlack = 2.0;
constexpr int64_t kGrowthBytes = int64_t{24} << 20;

// Intervals between chunks of seven sessions that play for so long, without
// the first two of each, which overlap with starting.
std::vector<double> PlaySeven(const Daemon& daemon) {
  std::vector<std::unique_ptr<Process>> plays;
  for (int i = 0; i < kReaders; ++i) {
    plays.push_back(
        daemon.StartQvg({"play", "--json", "--quiet", "--steps=2",
                         "--frames=4000", absl::StrCat("--seed=", i)}));
  }
  EXPECT_FALSE(plays[0]->Wait(absl::Seconds(kSeconds)).has_value());
  for (auto& play : plays) play->Signal(SIGINT);
  std::vector<double> intervals;
  for (auto& play : plays) {
    auto finished = play->Wait(absl::Seconds(30));
    if (!finished.has_value() || finished->exit_code != 130) {
      ADD_FAILURE() << "qvg play: " << play->Err();
      continue;
    }
    const auto summary = ParseJson(finished->out);
    const auto& chunks = summary.fields().at("chunk_s").list_value().values();
    for (int i = 2; i < chunks.size(); ++i) {
      intervals.push_back(chunks[i].number_value());
    }
  }
  return intervals;
}

double Quantile(std::vector<double> values, double share) {
  EXPECT_FALSE(values.empty());
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * (values.size() - 1))];
}

TEST(StoppedReaderTest, DelaysNobodyAndHoldsNothing) {
  auto daemon = Daemon::Start();
  ASSERT_NE(daemon, nullptr);
  const std::vector<double> alone = PlaySeven(*daemon);
  const int64_t before = daemon->ResidentBytes();

  v1::Start start;
  start.set_output_format(v1::OUTPUT_FORMAT_RAW_RGB24);
  start.set_steps(2);
  start.set_first_credit(8);
  auto stopped = Session::Open(daemon->client(), start);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  const std::vector<double> beside = PlaySeven(*daemon);
  const int64_t after = daemon->ResidentBytes();

  std::printf(
      "chunk interval alone / beside, s: p50 %.3f / %.3f, p99 %.3f / "
      "%.3f over %zu / %zu chunks; resident %.1f / %.1f MiB\n",
      Quantile(alone, .5), Quantile(beside, .5), Quantile(alone, .99),
      Quantile(beside, .99), alone.size(), beside.size(), before / 1048576.0,
      after / 1048576.0);
  EXPECT_LE(Quantile(beside, .99), kSlack * Quantile(alone, .99));
  EXPECT_LE(after - before, kGrowthBytes);

  stopped->reset();
  EXPECT_TRUE(daemon->BecomesEmpty());
}

}  // namespace
}  // namespace qvg::e2e
