#include "server/session/session_manager.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/log/log.h"
#include "server/session/admission.h"
#include "server/session/retry.h"

namespace qvg {
namespace {

// A chunk that takes so long is no chunk any more.
constexpr absl::Duration kStuck = absl::Minutes(2);

SchedulerOptions ToScheduler(const SessionManagerOptions& options) {
  SchedulerOptions scheduler;
  scheduler.max_sessions = options.limits.max_sessions;
  scheduler.session_time = options.session_time;
  scheduler.idle_time = options.idle_time;
  scheduler.write_stall_time = options.write_stall_time;
  return scheduler;
}

// A name that nobody can guess.
std::string RandomName() {
  std::random_device random;
  const uint64_t high = random();
  return absl::StrFormat("%016x", high << 32 | random());
}

absl::Status CheckRoom(absl::string_view name, const PoolUsage& pool,
                       int64_t needed) {
  const int64_t left = pool.budget - pool.reserved;
  if (left >= needed) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the ", name, " budget of ", pool.budget, " bytes has ",
                   left, " left, a session takes ", needed));
}

// Word for qvg_admission_rejected_total.
const char* Reason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return "no_room";
    case absl::StatusCode::kUnavailable:
      return "draining";
    default:
      return "invalid";
  }
}

}  // namespace

absl::Status SessionManagerOptions::Validate() const {
  absl::Status status = limits.Validate();
  if (status.ok()) status = ToScheduler(*this).Validate();
  if (status.ok() && (encode_threads < 1 || encode_threads > 64)) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "encode_threads: ", encode_threads, " is not between 1 and 64"));
  }
  return status;
}

SessionManager::SessionManager(const SessionManagerOptions& options,
                               VideoModel* model, const SessionPools& pools,
                               Metrics* metrics)
    : options_(options),
      model_(model),
      pools_(pools),
      metrics_(metrics),
      born_(options.clock()),
      dispatcher_(ToScheduler(options), options.encode_threads, options.clock,
                  metrics),
      encoders_(
          {options.encode_threads, options.record_dir, options.server_version},
          &dispatcher_),
      generator_(model, &dispatcher_),
      ticker_([this] { TickLoop(); }) {}

SessionManager::~SessionManager() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    stop_signal_.Signal();
  }
  ticker_.join();
  dispatcher_.Shutdown();
}

void SessionManager::TickLoop() {
  MutexLock lock(&mu_);
  while (!stop_) {
    if (stop_signal_.WaitWithTimeout(&mu_, options_.tick)) continue;
    dispatcher_.Tick();
  }
}

absl::StatusOr<SessionHandle> SessionManager::Open(
    const StartRequest& request, std::function<void()> waker) {
  SessionParts parts;
  parts.waker = std::move(waker);
  absl::StatusOr<std::shared_ptr<Session>> session =
      Admit(request, std::move(parts));
  if (!session.ok()) return Refuse(session.status());
  LogInfo("session ", (*session)->name(), " admitted with ",
          (*session)->reserved_bytes(), " bytes");
  return SessionHandle(&dispatcher_, *std::move(session));
}

absl::StatusOr<std::shared_ptr<Session>> SessionManager::Admit(
    const StartRequest& request, SessionParts parts) {
  if (dispatcher_.draining()) {
    return absl::UnavailableError("the server is draining");
  }
  absl::StatusOr<SessionPlan> plan =
      PlanSession(request, *model_, options_.limits);
  if (!plan.ok()) return plan.status();
  parts.id = ++last_id_;
  parts.name = RandomName();
  parts.model = &model_->info();
  parts.plan = *std::move(plan);
  parts.limits = options_.limits;
  parts.started = options_.clock();
  absl::Status status = Reserve(&parts);
  if (!status.ok()) return status;
  auto session = std::make_shared<Session>(std::move(parts));
  status = dispatcher_.Add(session, request.first_credit);
  if (!status.ok()) return status;
  return session;
}

absl::Status SessionManager::Reserve(SessionParts* parts) {
  const SessionPlan& plan = parts->plan;
  const struct {
    Reservation* claim;
    MemoryPool* pool;
    int64_t bytes;
  } claims[] = {{&parts->cache_memory, pools_.cache, plan.model_bytes.cache},
                {&parts->model_host_memory, pools_.host, plan.model_bytes.host},
                {&parts->own_memory, pools_.host, plan.own_bytes}};
  for (const auto& [claim, pool, bytes] : claims) {
    auto reservation = pool->Reserve(bytes);
    if (!reservation.ok()) return reservation.status();
    *claim = *std::move(reservation);
  }
  auto inputs = parts->own_memory.Allocate(
      BytesKind::kInput, InputQueue::Bytes(*parts->model, parts->limits));
  if (!inputs.ok()) return inputs.status();
  parts->input_memory = *std::move(inputs);
  return absl::OkStatus();
}

absl::Status SessionManager::Refuse(absl::Status status) {
  metrics_->AddAdmissionRejected(Reason(status));
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    SetRetryDelay(std::clamp(dispatcher_.ShortestRest(), absl::Seconds(1),
                             absl::Minutes(1)),
                  &status);
  }
  return status;
}

SessionBytes SessionManager::DefaultSessionBytes() const {
  StartRequest request;
  request.format = MediaFormat::kRawRgb24;
  const absl::StatusOr<SessionPlan> plan =
      PlanSession(request, *model_, options_.limits);
  if (!plan.ok()) return {};
  if (pools_.one()) return {plan->model_bytes.cache + plan->host_bytes(), 0};
  return {plan->model_bytes.cache, plan->host_bytes()};
}

ServerStatus SessionManager::Status() const {
  ServerStatus status;
  status.pool = pools_.cache->usage();
  status.host = pools_.host->usage();
  status.sessions = dispatcher_.sessions();
  status.draining = dispatcher_.draining();
  status.uptime = options_.clock() - born_;
  return status;
}

absl::Status SessionManager::Healthy() const {
  const absl::Duration busy = dispatcher_.GeneratorBusy();
  if (busy < kStuck) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the generator has worked on one chunk for ",
                   absl::FormatDuration(busy)));
}

absl::Status SessionManager::Ready() const {
  absl::Status status = Healthy();
  if (!status.ok()) return status;
  const ServerStatus now = Status();
  if (now.draining) return absl::UnavailableError("the server is draining");
  if (now.sessions >= options_.limits.max_sessions) {
    return absl::UnavailableError(
        absl::StrCat("all of ", now.sessions, " sessions are taken"));
  }
  const SessionBytes needed = DefaultSessionBytes();
  status = CheckRoom("cache", now.pool, needed.cache);
  if (status.ok()) status = CheckRoom("host", now.host, needed.host);
  return status;
}

void SessionManager::RefreshMetrics() {
  const std::array<int, kLifeStates> counts = dispatcher_.CountByState();
  for (int i = 0; i < kLifeStates; ++i) {
    const auto state = static_cast<LifeState>(i);
    if (state == LifeState::kClosed) continue;
    metrics_->SetSessions(ToString(state), counts[i]);
  }
  int64_t chunks = 0, bytes = 0, packed = 0, packed_bf16 = 0;
  for (const SessionSummary& session : dispatcher_.List()) {
    chunks += session.outbox_chunks;
    bytes += session.outbox_bytes;
    packed += session.history.packed;
    packed_bf16 += session.history.packed_bf16;
  }
  metrics_->SetOutbox(chunks, bytes);
  metrics_->SetKvCompressionRatio(
      packed == 0 ? 0 : static_cast<double>(packed_bf16) / packed);
  Show("device", pools_.cache->usage());
  if (!pools_.one()) Show("host", pools_.host->usage());
}

void SessionManager::Show(absl::string_view tier, const PoolUsage& pool) {
  int64_t used = 0;
  for (int i = 0; i < kBytesKinds; ++i) {
    used += pool.used[i];
    metrics_->SetSessionBytes(tier, ToString(static_cast<BytesKind>(i)),
                              pool.used[i]);
  }
  metrics_->SetPoolBytes(tier, {pool.budget, pool.reserved, used, pool.wasted});
}

}  // namespace qvg
