#ifndef CACHE_POOL_MEMORY_POOL_H_
#define CACHE_POOL_MEMORY_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace qvg {

class MemoryPool;

// What the bytes of a session are.
enum class BytesKind { kSpan, kBoundary, kInput, kMedia };
inline constexpr int kBytesKinds = 4;
const char* ToString(BytesKind kind);

// Memory of a session, handed back when destroyed. Move-only. The bytes are
// 64-byte aligned and stay where they are.
class PoolBuffer {
 public:
  PoolBuffer() = default;
  PoolBuffer(PoolBuffer&& other) noexcept;
  PoolBuffer& operator=(PoolBuffer&& other) noexcept;
  ~PoolBuffer();

  absl::Span<uint8_t> bytes() const;
  int64_t size() const;

 private:
  friend class Reservation;
  struct Record;
  explicit PoolBuffer(std::unique_ptr<Record> record);
  std::unique_ptr<Record> record_;
};

// A claim on part of the budget. All memory of a session is allocated through
// its reservation, so that a session that was admitted cannot run dry and one
// that miscounts cannot take from others. Move-only, thread-safe. Buffers may
// outlive it: the claim is released when reservation and buffers are gone.
class Reservation {
 public:
  Reservation() = default;

  // RESOURCE_EXHAUSTED when the reservation would be exceeded, with the
  // figures.
  absl::StatusOr<PoolBuffer> Allocate(BytesKind kind, int64_t bytes);

  int64_t reserved_bytes() const;
  // Requested bytes now held, of one kind or in all.
  int64_t used_bytes(BytesKind kind) const;
  int64_t used_bytes() const;

 private:
  friend class MemoryPool;
  struct Account;
  std::shared_ptr<Account> account_;  // shared with the buffers
};

// Bytes of the pool, at one moment.
struct PoolUsage {
  int64_t budget = 0;
  int64_t reserved = 0;
  // Requested by the holders, by kind.
  std::array<int64_t, kBytesKinds> used{};
  // Held back by rounding and by gaps within pages in use.
  int64_t wasted = 0;
};

// One arena with a budget in bytes, shared by all sessions. Pages are shared
// by small buffers; the sum of reservations never passes the budget.
// Thread-safe.
class MemoryPool {
 public:
  // The address range is reserved at once and touched as it is used.
  // INVALID_ARGUMENT for a budget that is not positive.
  static absl::StatusOr<std::unique_ptr<MemoryPool>> Create(
      int64_t budget_bytes);
  ~MemoryPool();  // all reservations and buffers must be gone

  // RESOURCE_EXHAUSTED, with the figures, when the budget has no room.
  absl::StatusOr<Reservation> Reserve(int64_t bytes);

  PoolUsage usage() const;

  // Bytes to reserve for `bytes` in buffers of `count`: rounding included.
  static int64_t ReservationFor(int64_t bytes, int64_t count);

 private:
  friend class Reservation;
  struct Arena;
  explicit MemoryPool(std::shared_ptr<Arena> arena);
  std::shared_ptr<Arena> arena_;
};

}  // namespace qvg

#endif  // CACHE_POOL_MEMORY_POOL_H_
