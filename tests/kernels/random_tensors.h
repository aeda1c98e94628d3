#ifndef TESTS_KERNELS_RANDOM_TENSORS_H_
#define TESTS_KERNELS_RANDOM_TENSORS_H_

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "kernels/packed_tensor.h"

namespace qvg::kernels {

// Descriptors in the forms that the codecs use.
CodecDescriptor Rows(Encoding encoding, int head_dim);
CodecDescriptor Residual(int head_dim, int bits, int block, int stages,
                         int centroids);
CodecDescriptor Asymmetric(CodecDescriptor codec);
CodecDescriptor FourLevels(CodecDescriptor codec);
CodecDescriptor Trits(CodecDescriptor codec);
CodecDescriptor ChannelGroups(int head_dim, int bits, int block);
CodecDescriptor TokenGroups(int head_dim, int bits, int block);
CodecDescriptor Rotated(CodecDescriptor codec);  // by the Hadamard matrix
CodecDescriptor Product(int head_dim, int width = 4);

// Random tables of kProduct: orthogonal rotations, entries of unit variance.
class RandomTables {
 public:
  RandomTables(const CodecDescriptor& codec, int heads, uint64_t seed);
  ProductTables view() const;

 private:
  std::vector<float> rotation_;
  std::vector<float> mean_;
  std::vector<float> codebook_;
};

// Unpacked rows may lie apart and off every alignment.
enum class Layout { kDense, kStrided };

// A tensor of random content, values about normally distributed, that owns
// its memory. kProduct uses `tables`, which must live as long.
class RandomTensor {
 public:
  RandomTensor(const CodecDescriptor& codec, int heads, int64_t tokens,
               uint64_t seed, const RandomTables* tables = nullptr,
               Layout layout = Layout::kDense);

  const PackedTensor& view() const { return view_; }
  // Stored bytes, tables excepted.
  int64_t bytes() const;
  // kF32 only: the element of a token, to overwrite it.
  float& at(int64_t token, int head, int channel);

 private:
  void FillRows(std::mt19937_64& random, Layout layout);
  void FillResidual(std::mt19937_64& random);
  void FillMinMax(std::mt19937_64& random);
  void FillProduct(std::mt19937_64& random, const RandomTables& tables);

  PackedTensor view_;
  std::vector<float> floats_;
  std::vector<uint16_t> halves_;
  std::vector<uint8_t> codes_;
  std::vector<uint8_t> scales_;
  std::vector<uint8_t> zeros_;
  std::vector<uint8_t> ids_;
};

std::vector<float> RandomNormal(int64_t count, float deviation, uint64_t seed);

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_RANDOM_TENSORS_H_
