#include "cache/pool/memory_pool.h"

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "cache/mutex.h"
#include "cache/pool/arena_memory.h"
#include "cache/pool/free_runs.h"
#include "cache/pool/page_runs.h"
#include "cache/pool/shared_pages.h"

namespace qvg {
namespace {

constexpr int64_t kPage = MemoryPool::kPageBytes;
constexpr int64_t kGranule = kPage / SharedPages::kGranules;

int64_t PagesFor(int64_t bytes) {
  return bytes / kPage + (bytes % kPage != 0 ? 1 : 0);
}

bool IsSmall(int64_t bytes) { return bytes < kPage; }

int GranulesFor(int64_t small_bytes) {
  return static_cast<int>((small_bytes + kGranule - 1) / kGranule);
}

int64_t Sum(const std::array<int64_t, kBytesKinds>& used) {
  return std::accumulate(used.begin(), used.end(), int64_t{0});
}

}  // namespace

const char* ToString(BytesKind kind) {
  static constexpr const char* kNames[kBytesKinds] = {"span", "boundary",
                                                      "input", "media"};
  return kNames[static_cast<int>(kind)];
}

struct MemoryPool::Arena {
  Arena(int64_t pages, kernels::MemoryKind kind)
      : budget_pages(pages),
        memory_kind(kind),
        runs(pages),
        slabs(0, OnDevice() ? pages : 0) {}

  bool OnDevice() const { return memory_kind == kernels::MemoryKind::kDevice; }

  const int64_t budget_pages;
  const kernels::MemoryKind memory_kind;
  std::unique_ptr<ArenaMemory> memory;

  Mutex mutex;
  // Of the host's address range, and of the device's memory.
  PageRuns runs ABSL_GUARDED_BY(mutex);
  FreeRuns slabs ABSL_GUARDED_BY(mutex);
  int64_t reserved_pages ABSL_GUARDED_BY(mutex) = 0;
  int64_t committed_pages ABSL_GUARDED_BY(mutex) = 0;
  std::array<int64_t, kBytesKinds> used ABSL_GUARDED_BY(mutex){};
};

// What a reservation and its buffers share. Thread-safe; one lock for the
// whole pool, since a session allocates a few times per chunk.
class PoolBuffer::Account {
 public:
  // `slab` is the first page of the reservation's own run, if it has one.
  Account(std::shared_ptr<MemoryPool::Arena> arena, int64_t pages, int64_t slab)
      : arena_(std::move(arena)),
        reserved_pages_(pages),
        slab_(slab),
        free_(slab, arena_->OnDevice() ? pages : 0) {}

  ~Account() {
    MutexLock lock(&arena_->mutex);
    arena_->reserved_pages -= reserved_pages_;
    if (arena_->OnDevice()) arena_->slabs.Return(slab_, reserved_pages_);
  }

  kernels::MemoryKind memory() const { return arena_->memory_kind; }

  absl::StatusOr<uint8_t*> Allocate(BytesKind kind, int64_t bytes) {
    MutexLock lock(&arena_->mutex);
    uint8_t* data = IsSmall(bytes) ? TakePart(bytes) : TakePages(bytes);
    if (data == nullptr) return Exhausted(kind, bytes);
    Count(kind, bytes);
    return data;
  }

  void Free(BytesKind kind, uint8_t* data, int64_t bytes) {
    // Whole pages go back before the lock: nobody else can have them yet.
    if (!IsSmall(bytes)) {
      arena_->memory->Clear(data, PagesFor(bytes) * kPage);
    }
    MutexLock lock(&arena_->mutex);
    Count(kind, -bytes);
    if (IsSmall(bytes)) {
      ReturnPart(data, bytes);
    } else {
      ReturnPages(data, PagesFor(bytes));
    }
  }

  int64_t reserved_bytes() const { return reserved_pages_ * kPage; }

  std::array<int64_t, kBytesKinds> used() const {
    MutexLock lock(&arena_->mutex);
    return used_;
  }

  int64_t committed_bytes() const {
    MutexLock lock(&arena_->mutex);
    return committed_pages_ * kPage;
  }

 private:
  absl::Status Exhausted(BytesKind kind, int64_t bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for ", bytes, " bytes of kind ", ToString(kind),
                     " in a reservation of ", reserved_bytes(), " bytes, ",
                     committed_pages_ * kPage, " of them in use"));
  }

  void Count(BytesKind kind, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    used_[static_cast<int>(kind)] += bytes;
    arena_->used[static_cast<int>(kind)] += bytes;
  }

  uint8_t* Base() const { return arena_->memory->base(); }

  // Null when the reservation has no room.
  uint8_t* TakePages(int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    const int64_t pages = PagesFor(bytes);
    if (pages > reserved_pages_ - committed_pages_) return nullptr;
    const std::optional<int64_t> first =
        arena_->OnDevice() ? free_.Take(pages) : arena_->runs.Take(pages);
    if (!first.has_value()) return nullptr;
    committed_pages_ += pages;
    arena_->committed_pages += pages;
    return Base() + *first * kPage;
  }

  void ReturnPages(uint8_t* data, int64_t pages)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    committed_pages_ -= pages;
    arena_->committed_pages -= pages;
    const int64_t first = (data - Base()) / kPage;
    if (arena_->OnDevice()) {
      free_.Return(first, pages);
    } else {
      arena_->runs.Return(first, pages);
    }
  }

  uint8_t* TakePart(int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    const int granules = GranulesFor(bytes);
    std::optional<PagePart> part = shared_pages_.Take(granules);
    if (!part.has_value()) {
      uint8_t* page = TakePages(kPage);
      if (page == nullptr) return nullptr;
      shared_pages_.Add((page - Base()) / kPage);
      part = shared_pages_.Take(granules);
    }
    return Base() + part->page * kPage + part->first * kGranule;
  }

  void ReturnPart(uint8_t* data, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena_->mutex) {
    const int64_t offset = data - Base();
    const PagePart part = {offset / kPage,
                           static_cast<int>(offset % kPage / kGranule),
                           GranulesFor(bytes)};
    if (!shared_pages_.Return(part)) return;
    uint8_t* page = Base() + part.page * kPage;
    arena_->memory->Clear(page, kPage);
    ReturnPages(page, 1);
  }

  const std::shared_ptr<MemoryPool::Arena> arena_;
  const int64_t reserved_pages_;
  const int64_t slab_;
  FreeRuns free_ ABSL_GUARDED_BY(arena_->mutex);  // of the slab
  int64_t committed_pages_ ABSL_GUARDED_BY(arena_->mutex) = 0;
  std::array<int64_t, kBytesKinds> used_ ABSL_GUARDED_BY(arena_->mutex){};
  SharedPages shared_pages_ ABSL_GUARDED_BY(arena_->mutex);
};

PoolBuffer::PoolBuffer(PoolBuffer&& other) noexcept
    : account_(std::move(other.account_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      kind_(other.kind_),
      memory_(other.memory_) {}

PoolBuffer& PoolBuffer::operator=(PoolBuffer&& other) noexcept {
  // What this held goes now, not when `other` does.
  PoolBuffer taken(std::move(other));
  std::swap(account_, taken.account_);
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  std::swap(kind_, taken.kind_);
  std::swap(memory_, taken.memory_);
  return *this;
}

PoolBuffer::~PoolBuffer() {
  if (account_ != nullptr) account_->Free(kind_, data_, size_);
}

absl::Span<uint8_t> PoolBuffer::bytes() const {
  if (memory_ == kernels::MemoryKind::kHost || size_ == 0) return range();
  std::fputs("PoolBuffer: the host touches memory of a device\n", stderr);
  std::abort();
}

int64_t PoolBuffer::charged_bytes() const {
  return IsSmall(size_) ? GranulesFor(size_) * kGranule
                        : PagesFor(size_) * kPage;
}

absl::StatusOr<PoolBuffer> Reservation::Allocate(BytesKind kind,
                                                 int64_t bytes) {
  if (bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("bytes: ", bytes, " is negative"));
  }
  PoolBuffer buffer;
  buffer.memory_ = memory();
  if (bytes == 0) return buffer;
  if (account_ == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for ", bytes, " bytes in an empty reservation"));
  }
  absl::StatusOr<uint8_t*> data = account_->Allocate(kind, bytes);
  if (!data.ok()) return data.status();
  buffer.account_ = account_;
  buffer.data_ = *data;
  buffer.size_ = bytes;
  buffer.kind_ = kind;
  return buffer;
}

kernels::MemoryKind Reservation::memory() const {
  return account_ == nullptr ? kernels::MemoryKind::kHost : account_->memory();
}

int64_t Reservation::reserved_bytes() const {
  return account_ == nullptr ? 0 : account_->reserved_bytes();
}

int64_t Reservation::used_bytes(BytesKind kind) const {
  if (account_ == nullptr) return 0;
  return account_->used()[static_cast<int>(kind)];
}

int64_t Reservation::used_bytes() const {
  return account_ == nullptr ? 0 : Sum(account_->used());
}

int64_t Reservation::committed_bytes() const {
  return account_ == nullptr ? 0 : account_->committed_bytes();
}

MemoryPool::MemoryPool(std::shared_ptr<Arena> arena)
    : arena_(std::move(arena)) {}

absl::StatusOr<std::unique_ptr<MemoryPool>> MemoryPool::Create(
    int64_t budget_bytes, const kernels::MemorySpace& space) {
  if (budget_bytes < kPage || budget_bytes > kMaxBudgetBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("budget_bytes: ", budget_bytes, " is not within ", kPage,
                     " to ", kMaxBudgetBytes));
  }
  const int64_t pages = budget_bytes / kPage;
  auto memory = MakeArenaMemory(
      space,
      (space.on_device() ? pages : PageRuns(pages).range_pages()) * kPage);
  if (!memory.ok()) return memory.status();
  auto arena = std::make_shared<Arena>(pages, space.kind);
  arena->memory = *std::move(memory);
  return std::unique_ptr<MemoryPool>(new MemoryPool(std::move(arena)));
}

absl::StatusOr<Reservation> MemoryPool::Reserve(int64_t bytes) {
  if (bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("bytes: ", bytes, " is negative"));
  }
  const int64_t pages = PagesFor(bytes);
  MutexLock lock(&arena_->mutex);
  if (pages > arena_->budget_pages - arena_->reserved_pages) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for a session of ", bytes,
                     " bytes: ", arena_->reserved_pages * kPage, " of ",
                     arena_->budget_pages * kPage, " bytes are reserved"));
  }
  int64_t slab = 0;
  if (arena_->OnDevice() && pages > 0) {
    const std::optional<int64_t> run = arena_->slabs.Take(pages);
    if (!run.has_value()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no room for a session of ", bytes,
                       " bytes in one piece: what is free is scattered"));
    }
    slab = *run;
  }
  arena_->reserved_pages += pages;
  Reservation reservation;
  reservation.account_ =
      std::make_shared<PoolBuffer::Account>(arena_, pages, slab);
  return reservation;
}

PoolUsage MemoryPool::usage() const {
  MutexLock lock(&arena_->mutex);
  PoolUsage usage;
  usage.budget = arena_->budget_pages * kPage;
  usage.reserved = arena_->reserved_pages * kPage;
  usage.used = arena_->used;
  usage.wasted = arena_->committed_pages * kPage - Sum(usage.used);
  return usage;
}

int64_t MemoryPool::ReservationFor(int64_t bytes, int64_t count) {
  // Each buffer keeps at most one page that it does not fill.
  return (bytes + count * (kPage - 1)) / kPage * kPage;
}

}  // namespace qvg
