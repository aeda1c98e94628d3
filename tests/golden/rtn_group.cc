#include "tests/golden/groups.h"
#include "tests/golden/quantizing.h"
#include "tests/golden/stored_tensor.h"

namespace qvg::golden {
namespace {

// Codes as numbers, one per channel, in the order [H,T,D].
std::vector<int8_t> Unpack(const Quantized& packed, const PointSet& shape,
                           int bits) {
  const int per_byte = 8 / bits;
  const int bias = (1 << (bits - 1)) - 1;
  std::vector<int8_t> out;
  for (int head = 0; head < shape.heads; ++head) {
    for (int64_t t = 0; t < shape.tokens; ++t) {
      const int64_t row = t * shape.heads + head;
      for (int d = 0; d < shape.dim; ++d) {
        const int byte = packed.codes[(row * shape.dim + d) / per_byte];
        const int shift = 8 - bits * (d % per_byte + 1);
        const int stored = byte >> shift & ((1 << bits) - 1);
        out.push_back(static_cast<int8_t>(stored - bias));
      }
    }
  }
  return out;
}

// [T,H,n] as [H,T,n].
std::vector<uint8_t> HeadsFirst(const std::vector<uint8_t>& values,
                                const PointSet& shape) {
  const int64_t size =
      static_cast<int64_t>(values.size()) / (shape.heads * shape.tokens);
  std::vector<uint8_t> out;
  for (int head = 0; head < shape.heads; ++head) {
    for (int64_t t = 0; t < shape.tokens; ++t) {
      const auto first = values.begin() + (t * shape.heads + head) * size;
      out.insert(out.end(), first, first + size);
    }
  }
  return out;
}

// The sign of zero is free.
std::vector<uint16_t> WithoutNegativeZeros(std::vector<uint16_t> values) {
  for (uint16_t& value : values) {
    if (value == 0x8000) value = 0;
  }
  return values;
}

PointSet DecodeQuantized(const Quantized& packed, const PointSet& shape,
                         int bits, int block) {
  kernels::PackedTensor tensor;
  tensor.codec.encoding = kernels::Encoding::kResidual;
  tensor.codec.head_dim = shape.dim;
  tensor.codec.bits = bits;
  tensor.codec.block = block;
  tensor.heads = shape.heads;
  tensor.tokens = shape.tokens;
  tensor.codes = packed.codes.data();
  tensor.scales = packed.scales.data();
  return Decode(tensor);
}

void CheckSetting(const GoldenCase& golden, const PointSet& input, int bits,
                  int block, Checks* checks) {
  const std::string setting =
      "int" + std::to_string(bits) + "_b" + std::to_string(block);
  const Quantized packed = QuantizePoints(
      input, kernels::QuantizeRule::kRoundToNearest, bits, block);
  checks->ExpectNone(
      Differences(HeadsFirst(packed.scales, input),
                  golden.Get<uint8_t>("scales_" + setting).values),
      setting + " scales");
  checks->ExpectNone(Differences(Unpack(packed, input, bits),
                                 golden.Get<int8_t>("codes_" + setting).values),
                     setting + " codes");
  checks->ExpectNone(
      Differences(WithoutNegativeZeros(
                      DecodeQuantized(packed, input, bits, block).values),
                  WithoutNegativeZeros(
                      golden.Get<uint16_t>("decoded_" + setting).values)),
      setting + " decoded");
}

}  // namespace

void CheckRtn(const GoldenCase& golden, Checks* checks) {
  const PointSet input = golden.Input();
  int settings = 0;
  for (const int bits : {2, 4}) {
    for (const int block : {16, 32, 64}) {
      const std::string name =
          "codes_int" + std::to_string(bits) + "_b" + std::to_string(block);
      if (!golden.Has(name)) continue;
      CheckSetting(golden, input, bits, block, checks);
      ++settings;
    }
  }
  if (settings == 0) throw GoldenError("no tensor codes_int*_b*");
}

}  // namespace qvg::golden
