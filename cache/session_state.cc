#include "cache/session_state.h"

#include <utility>

namespace qvg {

absl::StatusOr<std::unique_ptr<SessionState>> SessionState::Create(
    const KvLayout& layout, const CacheSpec& spec, std::unique_ptr<Codec> codec,
    int64_t model_bytes, const PrefixKey& root, Reservation reservation,
    Reservation host) {
  auto state = std::make_unique<SessionState>();
  state->reservation = std::move(reservation);
  state->host = std::move(host);
  const bool on_host =
      state->reservation.memory() == kernels::MemoryKind::kHost;
  state->codec = std::move(codec);
  state->prefix = root;
  absl::StatusOr<BoundaryState> boundary =
      BoundaryState::Create(layout, spec, model_bytes, state->reservation,
                            on_host ? state->reservation : state->host);
  if (!boundary.ok()) return boundary.status();
  state->boundary = *std::move(boundary);
  state->cache = std::make_unique<KvCache>(
      layout, spec, state->codec.get(), &state->reservation, &state->boundary);
  return state;
}

int64_t SessionState::MaxBytes(const KvLayout& layout, const CacheSpec& spec,
                               const Codec& codec, int64_t model_bytes,
                               int64_t max_chunks) {
  return BoundaryState::MaxBytes(layout, spec, model_bytes) +
         KvCache::MaxSpanBytes(layout, spec, codec, max_chunks);
}

double SessionState::session_ratio() const {
  const HistoryBytes bytes = cache->bytes();
  const int64_t held = reservation.committed_bytes() + host.committed_bytes();
  if (held == 0) return 0;
  return static_cast<double>(bytes.packed_bf16 + bytes.unpacked_bf16) /
         static_cast<double>(held);
}

}  // namespace qvg
