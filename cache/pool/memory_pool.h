#ifndef CACHE_POOL_MEMORY_POOL_H_
#define CACHE_POOL_MEMORY_POOL_H_

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/executor.h"

namespace qvg {

// What the bytes of a session are.
enum class BytesKind { kSpan, kBoundary, kInput, kMedia };
inline constexpr int kBytesKinds = 4;
const char* ToString(BytesKind kind);

// Memory of a session, handed back when destroyed. Move-only; an empty one
// owns nothing. The bytes are 64-byte aligned and stay where they are; at
// first they hold zeros or what the same reservation left there. On a device
// all this is so in the order of the pool's stream: another one that uses a
// buffer must be done with it before the buffer goes.
class PoolBuffer {
 public:
  PoolBuffer() = default;
  PoolBuffer(PoolBuffer&& other) noexcept;
  PoolBuffer& operator=(PoolBuffer&& other) noexcept;
  ~PoolBuffer();

  // Where it lies: on a device, addresses that mean nothing to the host.
  absl::Span<uint8_t> range() const { return {data_, size_t(size_)}; }

  // The same for the host to read and write. Memory of a device ends the
  // program.
  absl::Span<uint8_t> bytes() const;

  kernels::MemoryKind memory() const { return memory_; }
  int64_t size() const { return size_; }

  // size() and what rounding adds to it: whole pages, or granules of a page
  // that the buffer shares.
  int64_t charged_bytes() const;

 private:
  friend class MemoryPool;
  friend class Reservation;
  class Account;

  // Shared with the reservation and its other buffers: whoever goes last
  // hands the claim back.
  std::shared_ptr<Account> account_;
  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
  BytesKind kind_ = BytesKind::kSpan;
  kernels::MemoryKind memory_ = kernels::MemoryKind::kHost;
};

// A claim on part of the budget. All memory of a session is allocated through
// its reservation, so that a session that was admitted cannot run dry and one
// that miscounts cannot take from others: pages are never shared between
// reservations, and are zeroed before another one gets them. Move-only,
// thread-safe. Buffers may outlive it: the claim is released when reservation
// and buffers are gone.
class Reservation {
 public:
  Reservation() = default;  // of 0 bytes
  Reservation(Reservation&&) noexcept = default;
  Reservation& operator=(Reservation&&) noexcept = default;

  // A buffer of `bytes` >= 0 (0: an empty one). RESOURCE_EXHAUSTED when the
  // reservation would be exceeded, with the figures.
  absl::StatusOr<PoolBuffer> Allocate(BytesKind kind, int64_t bytes);

  // What its buffers are; an empty reservation is of the host.
  kernels::MemoryKind memory() const;

  int64_t reserved_bytes() const;
  // Requested bytes now held, of one kind or in all.
  int64_t used_bytes(BytesKind kind) const;
  int64_t used_bytes() const;
  // Bytes of the pages in use: used bytes, rounding and gaps. Never above
  // reserved_bytes().
  int64_t committed_bytes() const;

 private:
  friend class MemoryPool;
  std::shared_ptr<PoolBuffer::Account> account_;
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

// One arena with a budget in bytes, shared by all sessions. Buffers of a page
// and more take whole pages, smaller ones of the same reservation share them;
// the sum of reservations never passes the budget. Thread-safe. Reservations
// and buffers keep the arena alive.
//
// On the host fragmentation never makes anything fail. On a device, where
// memory stands behind all of the arena, a reservation is one run of pages:
// Reserve may refuse what the budget has room for but no run, which closing
// sessions cures; Allocate may fail in a reservation whose buffers were freed
// in the middle and are asked for in larger sizes.
class MemoryPool {
 public:
  static constexpr int64_t kPageBytes = 4096;
  static constexpr int64_t kMaxBudgetBytes = int64_t{1} << 40;

  // On the host, address space is reserved at once and touched as it is used;
  // of a device, all memory is taken, and the stream must outlive it. The
  // budget counts in whole pages. INVALID_ARGUMENT for less than one page or
  // more than kMaxBudgetBytes, RESOURCE_EXHAUSTED for more than the device
  // has, UNIMPLEMENTED without a device.
  static absl::StatusOr<std::unique_ptr<MemoryPool>> Create(
      int64_t budget_bytes, const kernels::MemorySpace& space = {});

  // A claim on `bytes`, rounded up to whole pages. RESOURCE_EXHAUSTED, with
  // the figures, when the budget has no room.
  absl::StatusOr<Reservation> Reserve(int64_t bytes);

  PoolUsage usage() const;

  // Bytes to reserve so that `count` buffers of `bytes` bytes in all can be
  // held at the same time, whatever is allocated and freed in which order.
  static int64_t ReservationFor(int64_t bytes, int64_t count = 1);

 private:
  friend class PoolBuffer;
  friend class Reservation;
  struct Arena;
  explicit MemoryPool(std::shared_ptr<Arena> arena);

  std::shared_ptr<Arena> arena_;  // shared with the accounts
};

}  // namespace qvg

#endif  // CACHE_POOL_MEMORY_POOL_H_
