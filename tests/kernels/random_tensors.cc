#include "tests/kernels/random_tensors.h"

#include <cmath>

#include "kernels/numeric.h"

namespace qvg::kernels {
namespace {

std::vector<float> Normal(std::mt19937_64& random, int64_t count,
                          float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<uint8_t> Bytes(std::mt19937_64& random, int64_t count, int low,
                           int high) {
  std::uniform_int_distribution<int> uniform(low, high);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(uniform(random));
  return bytes;
}

std::vector<uint16_t> ToBFloat16(const std::vector<float>& values) {
  std::vector<uint16_t> halves(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    halves[i] = FloatToBFloat16(values[i]);
  }
  return halves;
}

// Gram-Schmidt, in place, on the rows of one [dim,dim] matrix.
void MakeOrthogonal(float* matrix, int dim) {
  for (int i = 0; i < dim; ++i) {
    std::vector<double> row(matrix + i * dim, matrix + (i + 1) * dim);
    for (int j = 0; j < i; ++j) {
      double dot = 0;
      for (int d = 0; d < dim; ++d) dot += row[d] * matrix[j * dim + d];
      for (int d = 0; d < dim; ++d) row[d] -= dot * matrix[j * dim + d];
    }
    double norm = 0;
    for (const double value : row) norm += value * value;
    for (int d = 0; d < dim; ++d) {
      matrix[i * dim + d] = static_cast<float>(row[d] / std::sqrt(norm));
    }
  }
}

// E4M3 patterns of .5 to 2, and those of the ends of the range now and then.
std::vector<uint8_t> Scales(std::mt19937_64& random, int64_t count) {
  std::vector<uint8_t> scales = Bytes(random, count, 0x30, 0x40);
  for (int64_t i = 0; i < count; i += 61) scales[i] = i % 2 == 0 ? 0 : 1;
  return scales;
}

}  // namespace

CodecDescriptor Rows(Encoding encoding, int head_dim) {
  CodecDescriptor codec;
  codec.encoding = encoding;
  codec.head_dim = head_dim;
  return codec;
}

CodecDescriptor Residual(int head_dim, int bits, int block, int stages,
                         int centroids) {
  CodecDescriptor codec = Rows(Encoding::kResidual, head_dim);
  codec.bits = bits;
  codec.block = block;
  codec.stages = stages;
  codec.centroids = centroids;
  return codec;
}

CodecDescriptor Asymmetric(CodecDescriptor codec) {
  codec.asymmetric = true;
  return codec;
}

CodecDescriptor FourLevels(CodecDescriptor codec) {
  codec.four_levels = true;
  return codec;
}

CodecDescriptor Trits(CodecDescriptor codec) {
  codec.trits = true;
  return codec;
}

CodecDescriptor ChannelGroups(int head_dim, int bits, int block) {
  CodecDescriptor codec = Rows(Encoding::kMinMax, head_dim);
  codec.bits = bits;
  codec.block = block;
  return codec;
}

CodecDescriptor TokenGroups(int head_dim, int bits, int block) {
  CodecDescriptor codec = ChannelGroups(head_dim, bits, block);
  codec.axis = GroupAxis::kToken;
  return codec;
}

CodecDescriptor Rotated(CodecDescriptor codec) {
  codec.hadamard = true;
  return codec;
}

CodecDescriptor Product(int head_dim, int width) {
  CodecDescriptor codec = Rows(Encoding::kProduct, head_dim);
  codec.parts = head_dim / width;
  return codec;
}

RandomTables::RandomTables(const CodecDescriptor& codec, int heads,
                           uint64_t seed) {
  std::mt19937_64 random(seed);
  const int dim = codec.head_dim;
  rotation_ = Normal(random, int64_t{heads} * dim * dim, 1);
  mean_ = Normal(random, int64_t{heads} * dim, .5f);
  codebook_ = Normal(random, int64_t{heads} * 256 * dim, 1);
  for (int h = 0; h < heads; ++h) {
    MakeOrthogonal(rotation_.data() + int64_t{h} * dim * dim, dim);
  }
}

ProductTables RandomTables::view() const {
  return {rotation_.data(), mean_.data(), codebook_.data()};
}

RandomTensor::RandomTensor(const CodecDescriptor& codec, int heads,
                           int64_t tokens, uint64_t seed,
                           const RandomTables* tables, Layout layout) {
  std::mt19937_64 random(seed);
  view_.codec = codec;
  view_.heads = heads;
  view_.tokens = tokens;
  switch (codec.encoding) {
    case Encoding::kF32:
    case Encoding::kBf16:
      FillRows(random, layout);
      break;
    case Encoding::kResidual:
      FillResidual(random);
      break;
    case Encoding::kProduct:
      FillProduct(random, *tables);
      break;
    case Encoding::kMinMax:
      FillMinMax(random);
      break;
  }
}

float& RandomTensor::at(int64_t token, int head, int channel) {
  const auto* values = static_cast<const float*>(view_.values);
  return floats_[values - floats_.data() + token * view_.token_stride +
                 head * view_.head_stride + channel];
}

int64_t RandomTensor::bytes() const {
  const bool floats = view_.codec.encoding == Encoding::kF32;
  const int64_t rows = floats ? floats_.size() * sizeof(float) : 0;
  const int64_t halves = floats ? 0 : halves_.size() * sizeof(uint16_t);
  return rows + halves + codes_.size() + scales_.size() + zeros_.size() +
         ids_.size();
}

void RandomTensor::FillRows(std::mt19937_64& random, Layout layout) {
  const bool strided = layout == Layout::kStrided;
  const int64_t offset = strided ? 3 : 0;
  view_.head_stride = view_.codec.head_dim + (strided ? 5 : 0);
  view_.token_stride = view_.heads * view_.head_stride + (strided ? 7 : 0);
  floats_ = Normal(random, offset + view_.tokens * view_.token_stride, 1);
  halves_ = ToBFloat16(floats_);
  if (view_.codec.encoding == Encoding::kF32) {
    view_.values = floats_.data() + offset;
  } else {
    view_.values = halves_.data() + offset;
  }
}

void RandomTensor::FillResidual(std::mt19937_64& random) {
  const CodecDescriptor& codec = view_.codec;
  const int64_t rows = view_.tokens * view_.heads;
  const int64_t vectors = int64_t{codec.stages} * view_.heads;
  codes_ = Bytes(random, rows * CodeBytes(codec), 0, 255);
  scales_ = Scales(random, rows * codec.head_dim / codec.block);
  if (codec.four_levels) {
    for (size_t i = 0; i < scales_.size(); i += 3) scales_[i] |= 0x80;
  }
  if (codec.asymmetric) zeros_ = Scales(random, scales_.size());
  ids_ = Bytes(random, vectors * view_.tokens, 0, codec.centroids - 1);
  halves_ =
      ToBFloat16(Normal(random, vectors * codec.centroids * codec.head_dim, 1));
  view_.codes = codes_.data();
  view_.scales = scales_.data();
  if (codec.asymmetric) view_.zeros = zeros_.data();
  view_.ids = ids_.data();
  view_.centroids = halves_.data();
}

// The halves hold rows after the last group, scales and zeros.
void RandomTensor::FillMinMax(std::mt19937_64& random) {
  const CodecDescriptor& codec = view_.codec;
  const int64_t grouped = GroupedTokens(codec, view_.tokens);
  const int64_t row = int64_t{view_.heads} * codec.head_dim;
  const int64_t rest = (view_.tokens - grouped) * row;
  const int64_t groups = grouped * row / codec.block;
  codes_ = Bytes(random, grouped * view_.heads * CodeBytes(codec), 0, 255);
  halves_ = ToBFloat16(Normal(random, rest, 1));
  for (const float scale : Normal(random, 2 * groups, 1)) {
    halves_.push_back(FloatToHalf(scale));
  }
  view_.values = halves_.data();
  view_.token_stride = row;
  view_.head_stride = codec.head_dim;
  view_.codes = codes_.data();
  view_.half_scales = halves_.data() + rest;
  view_.half_zeros = view_.half_scales + groups;
}

void RandomTensor::FillProduct(std::mt19937_64& random,
                               const RandomTables& tables) {
  const int64_t rows = view_.tokens * view_.heads;
  codes_ = Bytes(random, rows * view_.codec.parts, 0, 255);
  scales_ = Scales(random, rows);
  view_.codes = codes_.data();
  view_.scales = scales_.data();
  view_.tables = tables.view();
}

std::vector<float> RandomNormal(int64_t count, float deviation, uint64_t seed) {
  std::mt19937_64 random(seed);
  return Normal(random, count, deviation);
}

}  // namespace qvg::kernels
