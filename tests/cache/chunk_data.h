#ifndef TESTS_CACHE_CHUNK_DATA_H_
#define TESTS_CACHE_CHUNK_DATA_H_

#include <cstdint>
#include <random>
#include <vector>

#include "cache/kv_layout.h"
#include "kernels/numeric.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Element (t,h,d) of an unpacked tensor.
inline float ValueAt(const kernels::PackedTensor& tensor, int64_t t, int64_t h,
                     int64_t d) {
  const int64_t at = t * tensor.token_stride + h * tensor.head_stride + d;
  if (tensor.codec.encoding == kernels::Encoding::kF32) {
    return static_cast<const float*>(tensor.values)[at];
  }
  return kernels::BFloat16ToFloat(
      static_cast<const uint16_t*>(tensor.values)[at]);
}

inline std::vector<float> Values(const kernels::PackedTensor& tensor) {
  std::vector<float> values;
  for (int64_t t = 0; t < tensor.tokens; ++t) {
    for (int64_t h = 0; h < tensor.heads; ++h) {
      for (int64_t d = 0; d < tensor.codec.head_dim; ++d) {
        values.push_back(ValueAt(tensor, t, h, d));
      }
    }
  }
  return values;
}

// Random keys and values of one chunk, FP32 [H,T,D], so that a token's heads
// do not lie side by side.
class ChunkData {
 public:
  ChunkData(const KvLayout& layout, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    const int64_t size =
        int64_t{layout.heads} * layout.tokens_per_chunk * layout.head_dim;
    for (int layer = 0; layer < layout.layers(); ++layer) {
      for (int tensor = 0; tensor < 2; ++tensor) {
        std::vector<float>& values = values_.emplace_back(size);
        for (float& value : values) value = normal(random);
      }
      segments_.push_back({Tensor(layout, values_[2 * layer]),
                           Tensor(layout, values_[2 * layer + 1])});
    }
  }
  ChunkData(const ChunkData&) = delete;
  ChunkData(ChunkData&&) = default;

  const std::vector<kernels::KvSegment>& segments() const { return segments_; }
  // FP32 [H,T,D] of keys (0) or values (1).
  std::vector<float>& values(int layer, int tensor) {
    return values_[2 * layer + tensor];
  }

 private:
  static kernels::PackedTensor Tensor(const KvLayout& layout,
                                      const std::vector<float>& values) {
    kernels::PackedTensor tensor;
    tensor.codec.encoding = kernels::Encoding::kF32;
    tensor.codec.head_dim = layout.head_dim;
    tensor.heads = layout.heads;
    tensor.tokens = layout.tokens_per_chunk;
    tensor.values = values.data();
    tensor.token_stride = layout.head_dim;
    tensor.head_stride = int64_t{layout.tokens_per_chunk} * layout.head_dim;
    return tensor;
  }

  std::vector<std::vector<float>> values_;
  std::vector<kernels::KvSegment> segments_;
};

}  // namespace qvg

#endif  // TESTS_CACHE_CHUNK_DATA_H_
