#ifndef TESTS_CACHE_PLACE_H_
#define TESTS_CACHE_PLACE_H_

#include <cstdint>
#include <cstring>
#include <deque>
#include <ostream>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cache/pool/memory_pool.h"
#include "gtest/gtest.h"
#include "kernels/device_memory.h"
#include "kernels/dispatch.h"
#include "kernels/executor.h"
#include "kernels/numeric.h"
#include "kernels/packed_tensor.h"
#include "tests/cache/chunk_data.h"

namespace qvg {

// Where a test runs: the same body for the CPU and a device. Errors of the
// device fail the test.
class Place {
 public:
  explicit Place(kernels::MemoryKind kind) : kind_(kind) {
    if (on_device()) Must(stream_.Create());
  }

  bool on_device() const { return kind_ == kernels::MemoryKind::kDevice; }
  kernels::MemoryKind kind() const { return kind_; }
  kernels::MemorySpace space() const { return {kind_, stream_.get()}; }
  kernels::Executor executor() {
    return on_device() ? kernels::Executor(stream_.get())
                       : kernels::Executor(serial_);
  }

  // What lies at `range` of this place when all work before is done.
  std::vector<uint8_t> Fetch(absl::Span<const uint8_t> range) const {
    std::vector<uint8_t> copy(range.begin(),
                              on_device() ? range.begin() : range.end());
    if (on_device()) {
      copy.resize(range.size());
      Must(kernels::CopyToHost(range.data(), range.size(), copy.data(),
                               stream_.get()));
      Must(kernels::Synchronize(stream_.get()));
    }
    return copy;
  }
  std::vector<uint8_t> Fetch(const PoolBuffer& buffer) const {
    return Fetch(buffer.range());
  }

  void Fill(absl::Span<uint8_t> range, uint8_t byte) const {
    if (on_device()) {
      Must(
          kernels::FillDevice(range.data(), byte, range.size(), stream_.get()));
    } else {
      std::memset(range.data(), byte, range.size());
    }
  }

  // Memory of this place, 64-byte aligned, that lives as long as it.
  absl::Span<uint8_t> Allocate(size_t bytes) {
    if (on_device()) {
      kernels::DeviceBuffer& buffer = buffers_.emplace_back();
      Must(buffer.Allocate(bytes));
      return {static_cast<uint8_t*>(buffer.data()), bytes};
    }
    void* memory = lines_.emplace_back(bytes / sizeof(Line) + 1).data();
    return {static_cast<uint8_t*>(memory), bytes};
  }

  // `bytes` of the host, where operations here can read them.
  const void* Here(const void* host, size_t bytes) {
    if (!on_device() || host == nullptr) return host;
    void* copy = Allocate(bytes).data();
    Must(kernels::CopyToDevice(host, bytes, copy, stream_.get()));
    return copy;
  }

  // A view of unpacked rows of the host, where operations here can read them.
  kernels::PackedTensor Here(const kernels::PackedTensor& rows) {
    kernels::PackedTensor here = rows;
    if (rows.tokens == 0) return here;
    const int64_t values = (rows.tokens - 1) * rows.token_stride +
                           (rows.heads - 1) * rows.head_stride +
                           rows.codec.head_dim;
    const bool wide = rows.codec.encoding == kernels::Encoding::kF32;
    here.values =
        Here(rows.values, static_cast<size_t>(values) * (wide ? 4 : 2));
    return here;
  }
  // The values [T,H,D] of unpacked rows of this place that lie without gaps.
  std::vector<float> Stored(kernels::PackedTensor rows) const {
    const bool wide = rows.codec.encoding == kernels::Encoding::kF32;
    const std::vector<uint8_t> bytes =
        Fetch({static_cast<const uint8_t*>(rows.values),
               static_cast<size_t>(rows.tokens * rows.token_stride *
                                   (wide ? 4 : 2))});
    rows.values = bytes.data();
    return Values(rows);
  }

  // The vectors [T,H,D] of a tensor of this place, rounded to BF16.
  std::vector<float> Decode(const kernels::PackedTensor& tensor) {
    const int64_t dim = tensor.codec.head_dim;
    const int64_t count = tensor.heads * tensor.tokens * dim;
    const absl::Span<uint8_t> rows =
        Allocate(static_cast<size_t>(count) * sizeof(uint16_t));
    Must(kernels::DecodeRows(tensor, 0, tensor.tokens,
                             reinterpret_cast<uint16_t*>(rows.data()),
                             executor()));
    const std::vector<uint8_t> bytes = Fetch(rows);
    const auto* decoded = reinterpret_cast<const uint16_t*>(bytes.data());
    std::vector<float> values(count);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t head = i / dim % tensor.heads;
      const int64_t token = i / dim / tensor.heads;
      values[i] = kernels::BFloat16ToFloat(
          decoded[(head * tensor.tokens + token) * dim + i % dim]);
    }
    return values;
  }

  std::vector<kernels::KvSegment> Here(
      absl::Span<const kernels::KvSegment> segments) {
    std::vector<kernels::KvSegment> here;
    for (const kernels::KvSegment& segment : segments) {
      here.push_back({Here(segment.keys), Here(segment.values)});
    }
    return here;
  }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };

  static void Must(const kernels::Error& error) {
    EXPECT_TRUE(error.ok()) << error.message;
  }

  kernels::MemoryKind kind_;
  kernels::OwnedStream stream_;
  kernels::SerialFor serial_;
  std::deque<kernels::DeviceBuffer> buffers_;
  std::deque<std::vector<Line>> lines_;
};

// Tests of a device are skipped, and say so, where there is none.
#define QVG_SKIP_WITHOUT(kind)                                \
  if ((kind) == ::qvg::kernels::MemoryKind::kDevice &&        \
      !::qvg::kernels::CheckForDevice().ok()) {               \
    GTEST_SKIP() << ::qvg::kernels::CheckForDevice().message; \
  }

// Parameters of such tests, and their names.
inline auto AllPlaces() {
  return testing::Values(kernels::MemoryKind::kHost,
                         kernels::MemoryKind::kDevice);
}
inline std::string PlaceName(
    const testing::TestParamInfo<kernels::MemoryKind>& place) {
  return place.param == kernels::MemoryKind::kDevice ? "Device" : "Host";
}

}  // namespace qvg

#endif  // TESTS_CACHE_PLACE_H_
