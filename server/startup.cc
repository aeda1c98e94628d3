#include "server/startup.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "cache/pool/memory_pool.h"
#include "server/flags.h"
#include "server/log/log.h"
#include "server/memory_budget.h"
#include "server/metrics/http_server.h"
#include "server/metrics/metrics.h"
#include "server/rpc/library_logs.h"
#include "server/rpc/rpc_server.h"
#include "server/session/admission.h"
#include "server/session/session_manager.h"
#include "server/signals.h"

namespace qvg {
namespace {

constexpr absl::Duration kHealthPeriod = absl::Milliseconds(250);
constexpr absl::Duration kDrainPoll = absl::Milliseconds(20);
// For calls that are no sessions, and for clients that answer a farewell late:
// a gRPC client that waits for nothing looks every five seconds.
constexpr absl::Duration kFarewellTime = absl::Seconds(1);
// What may pass after the drain time before the process ends itself.
constexpr absl::Duration kDrainSlack = absl::Seconds(4);

// Everything that serves, in the order in which it is made.
struct Server {
  std::unique_ptr<VideoModel> model;
  std::unique_ptr<MemoryPool> pool;       // of the cache
  std::unique_ptr<MemoryPool> host_pool;  // beside one on a device

  SessionPools pools() const {
    return {pool.get(), host_pool ? host_pool.get() : pool.get()};
  }

  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<SessionManager> sessions;
  std::unique_ptr<RpcServer> rpc;
  std::unique_ptr<HttpServer> http;
};

// Where models lie: beside an installed program, then in the source tree.
std::vector<std::string> ModelDirs() {
  std::error_code error;
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe", error);
  return {(program.parent_path().parent_path() / "share/qvgd/models").string(),
          absl::StrCat(QVG_SOURCE_DIR, "/deploy/models")};
}

absl::Status MakeModel(const ServerConfig& config,
                       const ModelRegistry& registry, Server* server) {
  if (absl::StartsWith(config.model_options.device, "cuda") &&
      !QVG_BUILT_WITH_CUDA) {
    return absl::UnimplementedError(
        absl::StrCat("device: ", config.model_options.device,
                     " is not available in this build, which has cpu only"));
  }
  ModelOptions options = config.model_options;
  options.model_dirs = ModelDirs();
  auto model = registry.Make(config.model, options);
  if (!model.ok()) return model.status();
  server->model = *std::move(model);
  return absl::OkStatus();
}

// Makes the folder of recordings, if they are wanted.
absl::Status CheckRecordDir(const std::string& dir) {
  if (dir.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (!error && access(dir.c_str(), W_OK | X_OK) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("record: cannot write to ", dir, ": ", error.message()));
}

// The pool that the model's sessions keep their history in, of `budget` bytes
// or, if that is 0, what is free; and the host's own if that is on a device.
absl::Status MakePools(int64_t budget, Server* server) {
  const kernels::MemorySpace& space = server->model->info().memory;
  if (budget == 0) {
    const auto free = space.on_device() ? AutoDeviceBudget() : AutoBudget();
    if (!free.ok()) return free.status();
    budget = *free;
  }
  auto pool = MemoryPool::Create(budget, space);
  if (!pool.ok()) return pool.status();
  server->pool = *std::move(pool);
  if (!space.on_device()) return absl::OkStatus();
  auto host = MemoryPool::Create(AutoBudget());
  if (!host.ok()) return host.status();
  server->host_pool = *std::move(host);
  return absl::OkStatus();
}

absl::Status MakeSessions(const ServerConfig& config, Server* server) {
  absl::Status record = CheckRecordDir(config.sessions.record_dir);
  if (!record.ok()) return record;
  const absl::Status pools = MakePools(config.budget_bytes, server);
  if (!pools.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv-budget-bytes: ", pools.message()));
  }
  const ModelInfo& info = server->model->info();
  MetricsOptions metrics;
  metrics.version = config.sessions.server_version;
  metrics.device = info.device;
  metrics.model = info.name;
  metrics.chunk_period_seconds = absl::ToDoubleSeconds(ChunkDuration(info));
  server->metrics = std::make_unique<Metrics>(metrics);
  server->sessions =
      std::make_unique<SessionManager>(config.sessions, server->model.get(),
                                       server->pools(), server->metrics.get());
  const int64_t budget = server->pool->usage().budget;
  const int64_t needed = server->sessions->DefaultSessionBytes().cache;
  if (budget < needed) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv-budget-bytes: ", budget, " is less than the ", needed,
                     " that one session takes; give more, or fewer "
                     "--max-chunks"));
  }
  return absl::OkStatus();
}

absl::Status Listen(const ServerConfig& config, Server* server) {
  auto rpc = RpcServer::Start(config.rpc, server->sessions.get());
  if (!rpc.ok()) return rpc.status();
  server->rpc = *std::move(rpc);
  HttpHandlers handlers;
  handlers.metrics = [server] {
    server->sessions->RefreshMetrics();
    return server->metrics->Serialize();
  };
  handlers.healthy = [server] { return server->sessions->Healthy(); };
  handlers.ready = [server] { return server->sessions->Ready(); };
  auto http = HttpServer::Start(config.rpc.host, config.metrics_port,
                                std::move(handlers));
  if (!http.ok()) {
    return absl::UnavailableError(
        absl::StrCat("metrics-port: ", http.status().message()));
  }
  server->http = *std::move(http);
  LogInfo("listening: grpc=", config.rpc.host, ":", server->rpc->port(),
          " metrics=", config.rpc.host, ":", server->http->port(),
          " model=", server->model->info().name,
          " device=", server->model->info().device,
          " budget=", server->pool->usage().budget);
  return absl::OkStatus();
}

absl::Status Start(const ServerConfig& config, const ModelRegistry& registry,
                   Server* server) {
  SetLogLevel(config.log_level);
  RouteLibraryLogs(false);  // failing to listen is said by us, in one line
  absl::Status status = MakeModel(config, registry, server);
  if (status.ok()) status = MakeSessions(config, server);
  if (status.ok()) status = Listen(config, server);
  RouteLibraryLogs(true);
  return status;
}

// Waits until no session is left; false when `limit` has passed.
bool AwaitSessions(const SessionManager& sessions, absl::Duration limit) {
  const absl::Time end = SteadyNow() + limit;
  while (sessions.Status().sessions > 0) {
    if (SteadyNow() >= end) return false;
    absl::SleepFor(kDrainPoll);
  }
  return true;
}

// Ends every session in order as far as there is time for it.
int Drain(const ServerConfig& config, Server* server) {
  ForceOnNextSignal(config.drain_time + kDrainSlack);
  LogInfo("draining: ", server->sessions->Status().sessions, " sessions");
  server->rpc->SetNotServing();
  server->sessions->Drain();
  bool clean = AwaitSessions(*server->sessions, config.drain_time / 2);
  if (!clean) {
    LogWarning("draining: cutting off ", server->sessions->Status().sessions,
               " sessions");
    server->sessions->AbortAll();
    AwaitSessions(*server->sessions, config.drain_time / 4);
  }
  server->rpc->Shutdown(std::min(config.drain_time / 4, kFarewellTime));
  server->rpc.reset();
  server->http.reset();
  server->sessions.reset();
  LogInfo("drained");
  return clean ? kExitClean : kExitForced;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "qvgd: %s\n",
               absl::StrReplaceAll(status.message(), {{"\n", " "}}).c_str());
  return kExitFailed;
}

}  // namespace

int RunServer(int argc, char** argv, const ModelRegistry& registry) {
  const auto config = ParseFlags({argv + 1, argv + argc});
  if (!config.ok()) return Fail(config.status());
  if (config->help || config->version) {
    std::fputs((config->help ? HelpText() : VersionText()).c_str(), stdout);
    return kExitClean;
  }
  HoldSignals();
  Server server;
  const absl::Status status = Start(*config, registry, &server);
  if (!status.ok()) return Fail(status);
  while (!AwaitStop(kHealthPeriod)) server.rpc->UpdateHealth();
  return Drain(*config, &server);
}

}  // namespace qvg
