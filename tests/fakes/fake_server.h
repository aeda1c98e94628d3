#ifndef TESTS_FAKES_FAKE_SERVER_H_
#define TESTS_FAKES_FAKE_SERVER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cache/pool/memory_pool.h"
#include "server/metrics/metrics.h"
#include "server/session/session_manager.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_reader.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg::testing {

// A session manager around a FakeVideoModel, with time that stands still
// unless a test moves it.
struct FakeServer {
  explicit FakeServer(SessionManagerOptions options = {},
                      int64_t budget = int64_t{256} << 20, int jobs_at_once = 1)
      : model(64, 32, jobs_at_once),
        pool(*MemoryPool::Create(budget)),
        metrics(MetricsOptions()) {
    options.clock = clock.clock();
    options.tick = absl::InfiniteDuration();
    options.server_version = "test";
    manager = std::make_unique<SessionManager>(
        options, &model, SessionPools{pool.get(), pool.get()}, &metrics);
  }

  // A request for raw frames with `credit` chunks to begin with.
  static StartRequest Request(int64_t credit = 0, uint64_t seed = 1) {
    StartRequest request;
    request.format = MediaFormat::kRawRgb24;
    request.first_credit = credit;
    request.spec.seed = seed;
    return request;
  }

  // Moves time on and lets the timers see it.
  void Pass(absl::Duration time) {
    clock.Advance(time);
    manager->Tick();
  }

  // Waits until no session holds memory; false after a time that no correct
  // program needs. Memory goes back on a thread of the server.
  bool AwaitMemoryBack() const {
    const absl::Time limit = SteadyNow() + absl::Seconds(20);
    while (pool->usage().reserved > 0 && SteadyNow() < limit) {
      std::this_thread::yield();
    }
    return pool->usage().reserved == 0;
  }

  // The value of a metric, for instance "qvg_write_stalls_total".
  double Metric(const std::string& name) {
    const std::string text = absl::StrCat("\n", metrics.Serialize());
    const std::string line = absl::StrCat("\n", name, " ");
    const size_t at = text.find(line);
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(at + line.size()));
  }

  FakeClock clock;
  FakeVideoModel model;
  std::unique_ptr<MemoryPool> pool;
  Metrics metrics;
  std::unique_ptr<SessionManager> manager;
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_FAKE_SERVER_H_
