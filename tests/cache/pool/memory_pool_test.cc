#include "cache/pool/memory_pool.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPage = MemoryPool::kPageBytes;

bool AllZero(const std::vector<uint8_t>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](uint8_t byte) { return byte == 0; });
}

class MemoryPoolTest : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(GetParam());
    place_.emplace(GetParam());
  }

  std::unique_ptr<MemoryPool> MakePool(int64_t budget) const {
    return *MemoryPool::Create(budget, place_->space());
  }

  std::optional<Place> place_;
};

INSTANTIATE_TEST_SUITE_P(Places, MemoryPoolTest, AllPlaces(), PlaceName);

TEST_P(MemoryPoolTest, RefusesBudgetsOutOfRange) {
  for (const int64_t budget :
       {int64_t{-1}, int64_t{0}, kPage - 1, MemoryPool::kMaxBudgetBytes + 1}) {
    const auto pool = MemoryPool::Create(budget, place_->space());
    EXPECT_EQ(pool.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(pool.status().message()),
                HasSubstr("budget_bytes: " + std::to_string(budget)));
  }
}

TEST_P(MemoryPoolTest, CountsWholePagesOfTheBudget) {
  const auto pool = MakePool(3 * kPage + 100);
  EXPECT_EQ(pool->usage().budget, 3 * kPage);
  EXPECT_TRUE(pool->Reserve(3 * kPage).ok());
  EXPECT_FALSE(pool->Reserve(3 * kPage + 1).ok());
}

TEST_P(MemoryPoolTest, ReservationsNeverPassTheBudget) {
  const auto pool = MakePool(10 * kPage);
  Reservation a = *pool->Reserve(6 * kPage);
  const auto refused = pool->Reserve(5 * kPage);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("24576 of 40960 bytes are reserved"));
  const Reservation b = *pool->Reserve(4 * kPage);
  EXPECT_EQ(pool->usage().reserved, 10 * kPage);
  a = Reservation();
  EXPECT_TRUE(pool->Reserve(6 * kPage).ok());
}

// A copy would be a second owner of the claim.
static_assert(!std::is_copy_constructible_v<Reservation>);
static_assert(!std::is_copy_constructible_v<PoolBuffer>);

TEST_P(MemoryPoolTest, NegativeSizesAreRefused) {
  const auto pool = MakePool(kPage);
  EXPECT_EQ(pool->Reserve(-1).status().code(),
            absl::StatusCode::kInvalidArgument);
  Reservation reservation = *pool->Reserve(kPage);
  EXPECT_EQ(reservation.Allocate(BytesKind::kSpan, -1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(MemoryPoolTest, SizesNearTheEndOfTheRangeAreRefused) {
  const auto pool = MakePool(kPage);
  EXPECT_FALSE(pool->Reserve(INT64_MAX).ok());
  Reservation reservation = *pool->Reserve(kPage);
  EXPECT_FALSE(reservation.Allocate(BytesKind::kSpan, INT64_MAX).ok());
}

TEST_P(MemoryPoolTest, EmptyReservationGivesEmptyBuffersOnly) {
  Reservation reservation;
  EXPECT_EQ(reservation.Allocate(BytesKind::kSpan, 1).status().code(),
            absl::StatusCode::kResourceExhausted);
  const PoolBuffer empty = *reservation.Allocate(BytesKind::kSpan, 0);
  EXPECT_EQ(empty.size(), 0);
  EXPECT_EQ(empty.charged_bytes(), 0);
  EXPECT_EQ(reservation.reserved_bytes(), 0);
  EXPECT_EQ(reservation.used_bytes(), 0);
  EXPECT_EQ(reservation.committed_bytes(), 0);
}

TEST_P(MemoryPoolTest, AccountsByKind) {
  const auto pool = MakePool(100 * kPage);
  Reservation reservation = *pool->Reserve(50 * kPage);
  const PoolBuffer span = *reservation.Allocate(BytesKind::kSpan, 10'000);
  const PoolBuffer input = *reservation.Allocate(BytesKind::kInput, 100);
  EXPECT_EQ(reservation.used_bytes(BytesKind::kSpan), 10'000);
  EXPECT_EQ(reservation.used_bytes(BytesKind::kInput), 100);
  EXPECT_EQ(reservation.used_bytes(BytesKind::kMedia), 0);
  EXPECT_EQ(reservation.used_bytes(), 10'100);
  EXPECT_EQ(reservation.committed_bytes(), 4 * kPage);

  const PoolUsage usage = pool->usage();
  EXPECT_EQ(usage.used[static_cast<int>(BytesKind::kSpan)], 10'000);
  EXPECT_EQ(usage.used[static_cast<int>(BytesKind::kInput)], 100);
  EXPECT_EQ(usage.wasted, 4 * kPage - 10'100);
  EXPECT_EQ(span.charged_bytes(), 3 * kPage);
  EXPECT_EQ(input.charged_bytes(), 128);
}

TEST_P(MemoryPoolTest, ExceededReservationIsNamedAndLeavesOthersAlone) {
  const auto pool = MakePool(100 * kPage);
  Reservation small = *pool->Reserve(2 * kPage);
  Reservation other = *pool->Reserve(2 * kPage);
  const PoolBuffer held = *small.Allocate(BytesKind::kSpan, kPage);
  const auto refused = small.Allocate(BytesKind::kMedia, kPage + 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("4097 bytes of kind media in a reservation of 8192 "
                        "bytes, 4096 of them in use"));
  EXPECT_EQ(small.committed_bytes(), kPage);
  EXPECT_TRUE(other.Allocate(BytesKind::kMedia, 2 * kPage).ok());
}

TEST_P(MemoryPoolTest, SmallBuffersShareAPage) {
  const auto pool = MakePool(4 * kPage);
  Reservation reservation = *pool->Reserve(kPage);
  std::vector<PoolBuffer> buffers;
  for (int i = 0; i < 64; ++i) {
    buffers.push_back(*reservation.Allocate(BytesKind::kInput, 60));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffers.back().range().data()) % 64,
              0);
  }
  EXPECT_EQ(reservation.committed_bytes(), kPage);
  EXPECT_FALSE(reservation.Allocate(BytesKind::kInput, 1).ok());
  buffers.clear();
  EXPECT_EQ(reservation.committed_bytes(), 0);
}

TEST_P(MemoryPoolTest, BuffersOfTwoReservationsNeverShareAPage) {
  const auto pool = MakePool(4 * kPage);
  Reservation a = *pool->Reserve(kPage);
  Reservation b = *pool->Reserve(kPage);
  const PoolBuffer of_a = *a.Allocate(BytesKind::kInput, 64);
  const PoolBuffer of_b = *b.Allocate(BytesKind::kInput, 64);
  EXPECT_NE(reinterpret_cast<uintptr_t>(of_a.range().data()) / kPage,
            reinterpret_cast<uintptr_t>(of_b.range().data()) / kPage);
}

TEST_P(MemoryPoolTest, AnotherReservationReadsZeros) {
  const auto pool = MakePool(8 * kPage);
  for (const int64_t bytes : {int64_t{64}, kPage, 5 * kPage - 1, 8 * kPage}) {
    const uint8_t* data = nullptr;
    {
      Reservation writer = *pool->Reserve(8 * kPage);
      const PoolBuffer secret = *writer.Allocate(BytesKind::kMedia, bytes);
      place_->Fill(secret.range(), 0x5a);
      data = secret.range().data();
    }
    Reservation reader = *pool->Reserve(8 * kPage);
    const PoolBuffer buffer = *reader.Allocate(BytesKind::kMedia, bytes);
    EXPECT_EQ(buffer.range().data(), data);  // the same pages
    EXPECT_TRUE(AllZero(place_->Fetch(buffer)));
  }
}

TEST_P(MemoryPoolTest, BuffersMoveWithoutMovingTheirBytes) {
  const auto pool = MakePool(8 * kPage);
  Reservation reservation = *pool->Reserve(8 * kPage);
  PoolBuffer a = *reservation.Allocate(BytesKind::kSpan, 100);
  PoolBuffer b = *reservation.Allocate(BytesKind::kMedia, kPage);
  const uint8_t* data = a.range().data();
  b = std::move(a);
  EXPECT_EQ(b.range().data(), data);
  EXPECT_EQ(b.size(), 100);
  EXPECT_EQ(reservation.used_bytes(BytesKind::kMedia), 0);
  b = PoolBuffer();
  EXPECT_EQ(reservation.used_bytes(), 0);
}

TEST_P(MemoryPoolTest, ClaimStaysUntilTheLastBufferGoes) {
  const auto pool = MakePool(4 * kPage);
  Reservation reservation = *pool->Reserve(4 * kPage);
  PoolBuffer buffer = *reservation.Allocate(BytesKind::kSpan, kPage);
  reservation = Reservation();
  EXPECT_EQ(pool->usage().reserved, 4 * kPage);
  EXPECT_FALSE(pool->Reserve(kPage).ok());
  buffer = PoolBuffer();
  EXPECT_EQ(pool->usage().reserved, 0);
  EXPECT_EQ(pool->usage().wasted, 0);
}

TEST_P(MemoryPoolTest, BuffersMayOutliveThePool) {
  auto pool = MakePool(4 * kPage);
  Reservation reservation = *pool->Reserve(4 * kPage);
  const PoolBuffer buffer = *reservation.Allocate(BytesKind::kSpan, kPage);
  pool.reset();
  place_->Fill(buffer.range(), 1);
  EXPECT_EQ(reservation.used_bytes(), kPage);
}

TEST_P(MemoryPoolTest, ReservationForIsEnoughAndNearlyTight) {
  for (const int64_t bytes :
       {1L, 63L, 64L, 65L, 4095L, 4096L, 4097L, 87'040L}) {
    constexpr int64_t kCount = 20;
    const int64_t claim = kCount * MemoryPool::ReservationFor(bytes);
    const auto pool = MakePool(claim);
    Reservation reservation = *pool->Reserve(claim);
    std::vector<PoolBuffer> buffers;
    for (int64_t i = 0; i < kCount; ++i) {
      auto buffer = reservation.Allocate(BytesKind::kSpan, bytes);
      ASSERT_TRUE(buffer.ok()) << bytes;
      buffers.push_back(*std::move(buffer));
    }
    EXPECT_LT(claim, kCount * (bytes + kPage));
  }
}

// opq spans of TinyWorld: five layers, 128 tokens, four heads, 17 bytes for a
// vector of 64, K and V; against the same in BF16.
TEST_P(MemoryPoolTest, SpansOfTinyWorldKeepTheirRatio) {
  constexpr int64_t kSpan = 5 * 2 * 128 * 4 * 17;
  constexpr int64_t kBf16 = 5 * 2 * 128 * 4 * 64 * 2;
  constexpr int64_t kChunks = 76;
  const auto pool = MakePool(int64_t{64} << 20);
  Reservation reservation =
      *pool->Reserve(kChunks * MemoryPool::ReservationFor(kSpan));
  std::vector<PoolBuffer> spans;
  for (int64_t n = 1; n <= kChunks; ++n) {
    auto span = reservation.Allocate(BytesKind::kSpan, kSpan);
    ASSERT_TRUE(span.ok());
    spans.push_back(*std::move(span));
    const PoolUsage usage = pool->usage();
    const int64_t stored =
        usage.used[static_cast<int>(BytesKind::kSpan)] + usage.wasted;
    EXPECT_GE(static_cast<double>(n * kBf16) / static_cast<double>(stored),
              7.2);
  }
}

TEST_P(MemoryPoolTest, ThreadsShareThePool) {
  constexpr int kThreads = 4;
  const auto pool = MakePool(kThreads * 64 * kPage);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&pool, this, t] {
      for (int round = 0; round < 50; ++round) {
        Reservation reservation = *pool->Reserve(64 * kPage);
        std::vector<PoolBuffer> buffers;
        for (int i = 0; i < 12; ++i) {
          const int64_t bytes = 1 + (i * 977 + round * 131) % (4 * kPage);
          buffers.push_back(*reservation.Allocate(BytesKind::kMedia, bytes));
          EXPECT_TRUE(AllZero(place_->Fetch(buffers.back())));
        }
        for (const PoolBuffer& buffer : buffers) {
          place_->Fill(buffer.range(), static_cast<uint8_t>(t + 1));
        }
        for (const PoolBuffer& buffer : buffers) {
          const std::vector<uint8_t> bytes = place_->Fetch(buffer);
          EXPECT_EQ(bytes.front(), t + 1);
          EXPECT_EQ(bytes.back(), t + 1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool->usage().reserved, 0);
  EXPECT_EQ(pool->usage().wasted, 0);
}

TEST_P(MemoryPoolTest, BuffersSayWhereTheyAre) {
  const auto pool = MakePool(2 * kPage);
  Reservation reservation = *pool->Reserve(kPage);
  EXPECT_EQ(reservation.memory(), GetParam());
  PoolBuffer buffer = *reservation.Allocate(BytesKind::kSpan, 10);
  EXPECT_EQ(buffer.memory(), GetParam());
  EXPECT_EQ(reservation.Allocate(BytesKind::kSpan, 0)->memory(), GetParam());
  PoolBuffer moved;
  EXPECT_EQ(moved.memory(), kernels::MemoryKind::kHost);
  moved = std::move(buffer);
  EXPECT_EQ(moved.memory(), GetParam());
  if (place_->on_device()) {
    EXPECT_DEATH(moved.bytes(), "host touches memory of a device");
  } else {
    EXPECT_EQ(moved.bytes(), moved.range());
  }
}

TEST(DevicePoolTest, MoreThanTheDeviceHasIsRefused) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  const Place place(kernels::MemoryKind::kDevice);
  EXPECT_EQ(MemoryPool::Create(MemoryPool::kMaxBudgetBytes, place.space())
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(MemoryPool::Create(kPage, place.space()).ok());
}

TEST(DevicePoolTest, ScatteredPagesAreNoRoomForASession) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  const Place place(kernels::MemoryKind::kDevice);
  const auto pool = *MemoryPool::Create(4 * kPage, place.space());
  Reservation a = *pool->Reserve(kPage);
  const Reservation b = *pool->Reserve(kPage);
  Reservation c = *pool->Reserve(kPage);
  a = Reservation();
  c = Reservation();
  const auto refused = pool->Reserve(3 * kPage);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("scattered"));
  EXPECT_EQ(pool->usage().reserved, kPage);
  EXPECT_TRUE(pool->Reserve(2 * kPage).ok());
}

TEST(DevicePoolTest, WithoutADeviceThereIsNone) {
  if (kernels::CheckForDevice().ok()) GTEST_SKIP() << "there is a device";
  EXPECT_EQ(MemoryPool::Create(kPage, {kernels::MemoryKind::kDevice, nullptr})
                .status()
                .code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace qvg
