#include "server/metrics/http_server.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "httplib.h"

namespace qvg {
namespace {

using testing::HasSubstr;

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    HttpHandlers handlers;
    handlers.metrics = [this] {
      return absl::StrCat("qvg_scrapes ", ++scrapes_, "\n");
    };
    handlers.healthy = [this] {
      return healthy_ ? absl::OkStatus()
                      : absl::InternalError("generator hung");
    };
    handlers.ready = [this] {
      return ready_ ? absl::OkStatus() : absl::UnavailableError("draining");
    };
    auto server = HttpServer::Start("127.0.0.1", 0, std::move(handlers));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  httplib::Result Get(const char* path) {
    return httplib::Client("127.0.0.1", server_->port()).Get(path);
  }

  std::atomic<int> scrapes_ = 0;
  std::atomic<bool> healthy_ = true, ready_ = true;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ServesMetricsFreshly) {
  EXPECT_GT(server_->port(), 0);
  auto first = Get("/metrics");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "qvg_scrapes 1\n");
  EXPECT_THAT(first->get_header_value("Content-Type"),
              HasSubstr("text/plain; version=0.0.4"));
  EXPECT_EQ(Get("/metrics")->body, "qvg_scrapes 2\n");
}

TEST_F(HttpServerTest, ProbesFollowTheirHandlers) {
  EXPECT_EQ(Get("/healthz")->status, 200);
  EXPECT_EQ(Get("/readyz")->body, "ok\n");
  ready_ = false;
  auto ready = Get("/readyz");
  EXPECT_EQ(ready->status, 503);
  EXPECT_EQ(ready->body, "draining\n");
  EXPECT_EQ(Get("/healthz")->status, 200);
  healthy_ = false;
  EXPECT_EQ(Get("/healthz")->status, 503);
}

TEST_F(HttpServerTest, KnowsNothingElse) {
  EXPECT_EQ(Get("/")->status, 404);
  EXPECT_EQ(Get("/metrics/x")->status, 404);
  httplib::Client client("127.0.0.1", server_->port());
  EXPECT_EQ(client.Post("/metrics", "x", "text/plain")->status, 404);
}

TEST_F(HttpServerTest, RefusesAPortThatIsTaken) {
  auto second = HttpServer::Start("127.0.0.1", server_->port(), HttpHandlers());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(second.status().message(),
              HasSubstr(absl::StrCat("127.0.0.1:", server_->port())));
  EXPECT_EQ(Get("/metrics")->status, 200);
}

TEST_F(HttpServerTest, RefusesAnAddressThatIsNotLocal) {
  EXPECT_FALSE(HttpServer::Start("203.0.113.7", 0, HttpHandlers()).ok());
}

TEST_F(HttpServerTest, AnswersManyAtOnce) {
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      auto answer = Get("/metrics");
      if (answer && answer->status == 200) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
}

TEST_F(HttpServerTest, FreesItsPortWhenDestroyed) {
  const int port = server_->port();
  EXPECT_EQ(Get("/healthz")->status, 200);
  server_.reset();
  HttpHandlers handlers;
  handlers.metrics = [] { return "again\n"; };
  auto again = HttpServer::Start("127.0.0.1", port, std::move(handlers));
  ASSERT_TRUE(again.ok()) << again.status();
  server_ = *std::move(again);
  EXPECT_EQ(Get("/metrics")->body, "again\n");
}

}  // namespace
}  // namespace qvg
