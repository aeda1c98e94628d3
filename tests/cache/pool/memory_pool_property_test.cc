// Random operations against a naive model of the pool: sums are equal, the
// budget and the reservations are never passed, what must fit does (on the host
// everything must that the budget has room for), nobody
// reads or writes what is not his, and all is zero at the end.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "cache/pool/memory_pool.h"
#include "gtest/gtest.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

constexpr int64_t kPage = MemoryPool::kPageBytes;
constexpr int64_t kBudget = 160 * kPage;

int64_t WholePages(int64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

struct Held {
  PoolBuffer buffer;
  BytesKind kind;
  int64_t bytes;
  uint8_t mark;
};

struct Client {
  uint8_t mark;
  int64_t claim;
  Reservation reservation;
  std::vector<Held> held;

  int64_t used(BytesKind kind) const {
    int64_t sum = 0;
    for (const Held& h : held) sum += h.kind == kind ? h.bytes : 0;
    return sum;
  }
  // An upper bound of the pages that the buffers can keep in use.
  int64_t page_bound() const {
    int64_t sum = 0;
    for (const Held& h : held) sum += WholePages(h.bytes);
    return sum;
  }
};

class Model {
 public:
  Model(uint64_t seed, kernels::MemoryKind kind)
      : random_(seed),
        place_(kind),
        pool_(*MemoryPool::Create(kBudget, place_.space())) {}

  void Step() {
    const uint64_t action = random_() % 16;
    if (clients_.empty() || action == 0) {
      Reserve();
    } else if (action == 1) {
      Close();
    } else if (action < 10) {
      Allocate(AnyClient());
    } else {
      Free(AnyClient());
    }
  }

  void Check() const {
    const PoolUsage usage = pool_->usage();
    int64_t reserved = 0;
    int64_t committed = 0;
    for (const Client& client : clients_) {
      reserved += client.claim;
      committed += client.reservation.committed_bytes();
      CheckClient(client);
    }
    EXPECT_EQ(usage.reserved, reserved);
    EXPECT_LE(usage.reserved, usage.budget);
    int64_t used = 0;
    for (int kind = 0; kind < kBytesKinds; ++kind) {
      int64_t expected = 0;
      for (const Client& client : clients_) {
        expected += client.used(static_cast<BytesKind>(kind));
      }
      EXPECT_EQ(usage.used[kind], expected);
      used += expected;
    }
    EXPECT_EQ(usage.wasted, committed - used);
  }

  void CloseAll() {
    while (!clients_.empty()) Close();
    const PoolUsage usage = pool_->usage();
    EXPECT_EQ(usage.reserved, 0);
    EXPECT_EQ(usage.wasted, 0);
    EXPECT_EQ(usage.used, (std::array<int64_t, kBytesKinds>{}));
    EXPECT_TRUE(pool_->Reserve(kBudget).ok());
  }

 private:
  static void CheckClient(const Client& client) {
    const int64_t committed = client.reservation.committed_bytes();
    EXPECT_LE(committed, client.claim);
    EXPECT_LE(committed, client.page_bound());
    EXPECT_GE(committed, client.reservation.used_bytes());
    EXPECT_EQ(client.reservation.reserved_bytes(), client.claim);
    int64_t charged = 0;
    for (const Held& h : client.held) charged += h.buffer.charged_bytes();
    EXPECT_LE(charged, committed);
  }

  uint8_t NextMark() { return static_cast<uint8_t>(1 + marks_++ % 255); }

  Client& AnyClient() { return clients_[random_() % clients_.size()]; }

  void Reserve() {
    const int64_t bytes = static_cast<int64_t>(random_() % (60 * kPage));
    int64_t reserved = 0;
    for (const Client& client : clients_) reserved += client.claim;
    auto reservation = pool_->Reserve(bytes);
    const bool fits = reserved + WholePages(bytes) <= kBudget;
    ASSERT_TRUE(fits || !reservation.ok());
    if (!place_.on_device()) {
      ASSERT_TRUE(reservation.ok() || !fits);
    }
    if (!reservation.ok()) return;
    clients_.push_back(
        {NextMark(), WholePages(bytes), *std::move(reservation), {}});
  }

  void Close() {
    std::swap(AnyClient(), clients_.back());
    Client client = std::move(clients_.back());
    clients_.pop_back();
    // The reservation or its buffers first, as it happens.
    if (random_() % 2) client.reservation = Reservation();
    while (!client.held.empty()) Free(client);
  }

  void Allocate(Client& client) {
    const int64_t limit = random_() % 2 ? kPage : 20 * kPage;
    const int64_t bytes =
        1 + static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
    const auto kind = static_cast<BytesKind>(random_() % kBytesKinds);
    const int64_t used = client.reservation.used_bytes();
    auto buffer = client.reservation.Allocate(kind, bytes);
    if (!place_.on_device() &&
        client.page_bound() + WholePages(bytes) <= client.claim) {
      ASSERT_TRUE(buffer.ok()) << buffer.status();
    }
    if (used + bytes > client.claim) {
      ASSERT_FALSE(buffer.ok());
    }
    if (!buffer.ok()) return;
    ASSERT_EQ(buffer->size(), bytes);
    for (const uint8_t byte : place_.Fetch(*buffer)) {
      ASSERT_TRUE(byte == 0 || byte == client.mark);
    }
    place_.Fill(buffer->range(), client.mark);
    client.held.push_back({*std::move(buffer), kind, bytes, client.mark});
  }

  void Free(Client& client) {
    if (client.held.empty()) return;
    std::swap(client.held[random_() % client.held.size()], client.held.back());
    const Held& h = client.held.back();
    for (const uint8_t byte : place_.Fetch(h.buffer)) ASSERT_EQ(byte, h.mark);
    client.held.pop_back();
  }

  std::mt19937_64 random_;
  Place place_;
  std::unique_ptr<MemoryPool> pool_;
  std::vector<Client> clients_;
  int marks_ = 0;
};

class MemoryPoolPropertyTest
    : public testing::TestWithParam<kernels::MemoryKind> {};

INSTANTIATE_TEST_SUITE_P(Places, MemoryPoolPropertyTest, AllPlaces(),
                         PlaceName);

TEST_P(MemoryPoolPropertyTest, AgreesWithTheNaiveModel) {
  QVG_SKIP_WITHOUT(GetParam());
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Model model(seed, GetParam());
    for (int i = 0; i < 5'000; ++i) {
      model.Step();
      model.Check();
      ASSERT_FALSE(testing::Test::HasFailure())
          << "seed " << seed << ", step " << i;
    }
    model.CloseAll();
  }
}

}  // namespace
}  // namespace qvg
