#include "server/session/session_manager.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/session/retry.h"
#include "tests/fakes/fake_server.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using testing::FakeReader;
using testing::FakeServer;
using ::testing::HasSubstr;

std::vector<Sha256Digest> Hashes(const FakeReader& reader) {
  std::vector<Sha256Digest> hashes;
  for (const ChunkReport& report : reader.All<ChunkReport>()) {
    hashes.push_back(report.frames_sha256);
  }
  return hashes;
}

TEST(SessionManagerOptions, ValidateNamesTheField) {
  SessionManagerOptions options;
  EXPECT_TRUE(options.Validate().ok());
  options.encode_threads = 0;
  EXPECT_THAT(options.Validate().message(), HasSubstr("encode_threads: 0"));
  options = {};
  options.idle_time = absl::ZeroDuration();
  EXPECT_THAT(options.Validate().message(), HasSubstr("idle_time"));
  options = {};
  options.limits.max_chunks = -1;
  EXPECT_THAT(options.Validate().message(), HasSubstr("max_chunks"));
}

TEST(SessionManager, GeneratesWhatThereIsCreditFor) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(3));
  ASSERT_TRUE(reader.status().ok()) << reader.status();
  reader.handle().InputClosed();
  reader.ReadAll();
  ASSERT_TRUE(reader.final_status()) << "it never ended";
  EXPECT_TRUE(reader.final_status()->ok());
  const auto reports = reader.All<ChunkReport>();
  ASSERT_EQ(reports.size(), 3);
  EXPECT_EQ(reports[2].chunk, 2);
  EXPECT_EQ(reports[2].first_frame, 8);
  EXPECT_EQ(reports[2].frames, 4);
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kStopped);
  EXPECT_EQ(server.Metric("qvg_frames_total"), 12);
}

TEST(SessionManager, TheHashCoversTheRawFrames) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(2));
  reader.handle().InputClosed();
  reader.ReadAll();
  const auto reports = reader.All<ChunkReport>();
  ASSERT_EQ(reports.size(), 2);
  const size_t bytes = reader.media().size() / 2;
  EXPECT_EQ(bytes, 64 * 32 * 3 * 4);
  EXPECT_EQ(reports[1].frames_sha256,
            Sha256(absl::string_view(reader.media()).substr(bytes)));
}

TEST(SessionManager, SameInputsGiveTheSameFramesBesideOthers) {
  FakeServer server;
  const auto run = [&](uint64_t seed) {
    auto reader = std::make_unique<FakeReader>(server.manager.get(),
                                               FakeServer::Request(0, seed));
    ActionRequest action;
    action.event_id = 1;
    action.controls = {{"left", 3, {}}};
    action.start_frame = 2;
    reader->handle().Action(action);
    reader->handle().AddCredit(4);
    reader->handle().InputClosed();
    return reader;
  };
  auto alone = run(7);
  alone->ReadAll();
  auto first = run(7), other = run(8), second = run(7);
  first->ReadAll();
  other->ReadAll();
  second->ReadAll();
  EXPECT_EQ(Hashes(*alone).size(), 4);
  EXPECT_EQ(Hashes(*alone), Hashes(*first));
  EXPECT_EQ(Hashes(*alone), Hashes(*second));
  EXPECT_NE(Hashes(*alone), Hashes(*other));
}

TEST(SessionManager, AnActionIsAppliedToTheChunkItSays) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  reader.ReadUntil<ChunkReport>();
  ActionRequest action;
  action.event_id = 9;
  action.controls = {{"left", 1, {}}};
  reader.handle().Action(action);
  reader.handle().AddCredit(1);
  reader.ReadUntil<ChunkReport>();
  const auto receipts = reader.All<Receipt>();
  ASSERT_EQ(receipts.size(), 2);
  EXPECT_EQ(receipts[1].state, Receipt::State::kApplied);
  EXPECT_EQ(receipts[1].chunk, 1);
}

TEST(SessionManager, ABrokenRuleEndsThatSessionOnly) {
  FakeServer server;
  FakeReader good(server.manager.get(), FakeServer::Request(1));
  FakeReader bad(server.manager.get(), FakeServer::Request(1));
  bad.handle().AddCredit(1000);
  bad.ReadAll();
  ASSERT_TRUE(bad.final_status());
  EXPECT_EQ(bad.final_status()->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(good.ReadUntil<ChunkReport>());
}

TEST(SessionManager, RefusesWhatDoesNotFitWithFiguresAndADelay) {
  SessionManagerOptions options;
  FakeServer server(options, 8 << 20);
  std::vector<std::unique_ptr<FakeReader>> readers;
  absl::Status status;
  while (status.ok() && readers.size() < 100) {
    readers.push_back(std::make_unique<FakeReader>(server.manager.get(),
                                                   FakeServer::Request()));
    status = readers.back()->status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("8388608"));
  EXPECT_EQ(RetryDelay(status), absl::Minutes(1));
  EXPECT_FALSE(server.manager->Ready().ok());
  readers.clear();
  ASSERT_TRUE(server.AwaitMemoryBack());
  EXPECT_TRUE(server.manager->Ready().ok());
}

TEST(SessionManager, RefusesMoreSessionsThanTheLimit) {
  SessionManagerOptions options;
  options.limits.max_sessions = 1;
  FakeServer server(options);
  auto one =
      std::make_unique<FakeReader>(server.manager.get(), FakeServer::Request());
  FakeReader two(server.manager.get(), FakeServer::Request());
  EXPECT_EQ(two.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryDelay(two.status()));
  EXPECT_FALSE(server.manager->Ready().ok());
  one.reset();
  FakeReader three(server.manager.get(), FakeServer::Request());
  EXPECT_TRUE(three.status().ok());
}

TEST(SessionManager, ListsSessionsOldestFirst) {
  FakeServer server;
  FakeReader a(server.manager.get(), FakeServer::Request(2));
  a.ReadUntil<ChunkReport>();
  server.clock.Advance(absl::Seconds(3));
  FakeReader b(server.manager.get(), FakeServer::Request());
  a.ReadUntil<ChunkReport>();
  const auto list = server.manager->List();
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0].name, a.handle().name());
  EXPECT_EQ(list[0].chunks, 2);
  EXPECT_EQ(list[0].frames, 8);
  EXPECT_EQ(list[0].state, "waiting");
  EXPECT_EQ(list[0].age, absl::Seconds(3));
  EXPECT_GT(list[0].held[static_cast<int>(BytesKind::kBoundary)], 0);
  EXPECT_EQ(list[1].name, b.handle().name());
}

TEST(SessionManager, MemoryReturnsToZero) {
  FakeServer server;
  {
    FakeReader a(server.manager.get(), FakeServer::Request(4));
    FakeReader b(server.manager.get(), FakeServer::Request(4));
    a.ReadUntil<ChunkReport>();
    EXPECT_GT(server.pool->usage().reserved, 0);
  }
  server.manager.reset();
  EXPECT_EQ(server.pool->usage().reserved, 0);
}

TEST(SessionManager, AChunkThatFailsEndsItsSessionWithTheError) {
  FakeServer server;
  server.model.FailAt(1);
  FakeReader reader(server.manager.get(), FakeServer::Request(2));
  reader.ReadAll();
  ASSERT_TRUE(reader.final_status());
  EXPECT_EQ(*reader.final_status(),
            absl::InternalError("the fake fails a chunk"));
}

TEST(SessionManager, AnOpenThatFailsEndsItsSessionWithTheError) {
  FakeServer server;
  server.model.FailAt(-1);
  FakeReader reader(server.manager.get(), FakeServer::Request(2));
  reader.ReadAll();
  ASSERT_TRUE(reader.final_status());
  EXPECT_EQ(reader.final_status()->code(), absl::StatusCode::kInternal);
}

TEST(SessionManager, AGeneratorThatIsStuckIsNotHealthy) {
  FakeServer server;
  server.model.step_gate().Close();
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
  EXPECT_TRUE(server.manager->Healthy().ok());
  server.clock.Advance(absl::Minutes(3));
  EXPECT_FALSE(server.manager->Healthy().ok());
  EXPECT_FALSE(server.manager->Ready().ok());
  server.model.step_gate().Open();
  reader.ReadUntil<ChunkReport>();
  EXPECT_TRUE(server.manager->Healthy().ok());
}

TEST(SessionManager, GaugesShowWhatIsThere) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  reader.ReadUntil<ChunkReport>();
  server.manager->RefreshMetrics();
  EXPECT_EQ(server.Metric("qvg_sessions{state=\"waiting\"}"), 1);
  EXPECT_EQ(server.Metric("qvg_pool_bytes{state=\"reserved\",tier=\"device\"}"),
            server.pool->usage().reserved);
  EXPECT_EQ(server.Metric("qvg_outbox_chunks"), 0);
}

// Keeps a little beside its cache, as a model does whose cache is elsewhere.
class TwoPoolModel : public testing::FakeVideoModel {
 public:
  SessionBytes BytesOf(const SessionSpec& spec) const override {
    return {FakeVideoModel::BytesOf(spec).cache, MemoryPool::kPageBytes};
  }
  absl::StatusOr<std::unique_ptr<SessionState>> Open(
      const SessionSpec& spec, Reservation cache, Reservation host) override {
    auto state = FakeVideoModel::Open(spec, std::move(cache), {});
    if (state.ok()) (*state)->host = std::move(host);
    return state;
  }
};

struct TwoPools {
  explicit TwoPools(int64_t host_bytes)
      : cache(*MemoryPool::Create(64 << 20)),
        host(*MemoryPool::Create(host_bytes)),
        metrics(MetricsOptions()),
        manager({}, &model, {cache.get(), host.get()}, &metrics) {}

  TwoPoolModel model;
  std::unique_ptr<MemoryPool> cache;
  std::unique_ptr<MemoryPool> host;
  Metrics metrics;
  SessionManager manager;
};

TEST(SessionManager, TakesTheCacheOfOnePoolAndTheRestOfTheOther) {
  TwoPools server(64 << 20);
  const StartRequest request = FakeServer::Request(1);
  const auto plan = PlanSession(request, server.model, {});
  ASSERT_TRUE(plan.ok());
  FakeReader reader(&server.manager, request);
  ASSERT_TRUE(reader.status().ok()) << reader.status();
  EXPECT_EQ(server.cache->usage().reserved, plan->model_bytes.cache);
  EXPECT_EQ(
      server.host->usage().reserved,
      MemoryPool::ReservationFor(plan->own_bytes) + MemoryPool::kPageBytes);
  reader.ReadUntil<ChunkReport>();
  EXPECT_EQ(server.manager.DefaultSessionBytes().host, plan->host_bytes());
  server.manager.RefreshMetrics();
  const std::string metrics = server.metrics.Serialize();
  EXPECT_NE(metrics.find("qvg_pool_bytes{state=\"reserved\",tier=\"host\"}"),
            std::string::npos);
}

TEST(SessionManager, EitherPoolCanBeFull) {
  TwoPools server(MemoryPool::kPageBytes);
  EXPECT_EQ(FakeReader(&server.manager, FakeServer::Request()).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server.cache->usage().reserved, 0);
  EXPECT_EQ(server.host->usage().reserved, 0);
  EXPECT_NE(server.manager.Ready().message().find("the host budget"),
            std::string::npos);
}

TEST(SessionManager, ChunksThatAreDueShareAnAdvance) {
  constexpr int kReaders = 5, kCredit = 4, kAtOnce = 3;
  FakeServer server({}, int64_t{256} << 20, kAtOnce);
  server.model.step_gate().Close();
  std::vector<std::unique_ptr<FakeReader>> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<FakeReader>(
        server.manager.get(), FakeServer::Request(kCredit, i)));
    // The first keeps the generator busy until all the others are there.
    if (i == 0) {
      ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
    }
  }
  server.model.step_gate().Open();
  for (const auto& reader : readers) {
    for (int chunk = 0; chunk < kCredit; ++chunk) {
      const auto report = reader->ReadUntil<ChunkReport>();
      ASSERT_TRUE(report);
      EXPECT_EQ(report->chunk, chunk);
    }
  }
  EXPECT_EQ(server.model.most_jobs(), kAtOnce);
}

TEST(SessionManager, RecordsEverySession) {
  SessionManagerOptions options;
  options.record_dir = ::testing::TempDir();
  std::string path;
  {
    FakeServer server(options);
    FakeReader reader(server.manager.get(), FakeServer::Request(2));
    path = options.record_dir + "/" + reader.handle().name() + ".jsonl";
    reader.handle().InputClosed();
    reader.ReadAll();
  }
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("\"header\""),
                                 HasSubstr("\"chunkIndex\":\"0\""),
                                 HasSubstr("\"chunkIndex\":\"1\""),
                                 HasSubstr("ENDED_REASON_STOPPED")));
  std::filesystem::remove(path);
}

TEST(SessionManager, EncodesEveryFormatOfThisBuild) {
  FakeServer server;
  for (MediaFormat format : {MediaFormat::kH264Fmp4, MediaFormat::kJpeg}) {
    if (!MediaFormatSupported(format)) continue;
    StartRequest request = FakeServer::Request(2);
    request.format = format;
    FakeReader reader(server.manager.get(), request);
    reader.handle().InputClosed();
    reader.ReadAll();
    EXPECT_EQ(reader.All<ChunkReport>().size(), 2);
    const auto parts = reader.All<MediaPart>();
    ASSERT_FALSE(parts.empty());
    EXPECT_EQ(parts[0].init_segment, format == MediaFormat::kH264Fmp4);
    EXPECT_EQ(parts.size(), format == MediaFormat::kH264Fmp4 ? 3 : 8);
  }
}

}  // namespace
}  // namespace qvg
