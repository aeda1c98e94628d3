#include <algorithm>
#include <cmath>

#include "kernels/pack_codes.h"
#include "kernels/quantize_internal.h"

namespace qvg::kernels::internal {
namespace {

// One block: its values, its scale and zero, and the codes as stored.
struct Block {
  const uint16_t* values;
  int size;
  int bits;
  uint8_t* stored;
};

float Absmax(const Block& block) {
  float absmax = 0;
  for (int i = 0; i < block.size; ++i) {
    absmax = std::max(absmax, std::abs(BFloat16ToFloat(block.values[i])));
  }
  return absmax;
}

// Stores round(quotient) + bias for every value, `round` applied within the
// range of codes.
template <typename Round>
void StoreCodes(const Block& block, float scale, const Round& round) {
  const int largest = LargestCode(block.bits);
  const float limit = static_cast<float>(largest);
  for (int i = 0; i < block.size; ++i) {
    const float value = BFloat16ToFloat(block.values[i]);
    const float quotient = scale == 0 ? 0 : value / scale;
    const float code = round(std::clamp(quotient, -limit, limit));
    block.stored[i] = static_cast<uint8_t>(static_cast<int>(code) + largest);
  }
}

uint8_t QuantizeAbsmax(const Block& block) {
  const uint8_t scale = AbsmaxScale(Absmax(block), block.bits);
  StoreCodes(block, E4M3ToFloat(scale), [](float x) { return std::round(x); });
  return scale;
}

uint8_t QuantizeToNearest(const Block& block) {
  const uint8_t scale = RoundToNearestScale(Absmax(block), block.bits);
  StoreCodes(block, E4M3ToFloat(scale),
             [](float x) { return std::nearbyint(RoundToBFloat16(x)); });
  return scale;
}

uint8_t QuantizeMinMax(const Block& block, uint8_t* zero_pattern) {
  float min = BFloat16ToFloat(block.values[0]);
  float max = min;
  for (int i = 1; i < block.size; ++i) {
    min = std::min(min, BFloat16ToFloat(block.values[i]));
    max = std::max(max, BFloat16ToFloat(block.values[i]));
  }
  const uint8_t pattern = MinMaxScale(min, max, block.bits);
  *zero_pattern = FloatToE4M3(min);
  const float scale = E4M3ToFloat(pattern);
  const float zero = E4M3ToFloat(*zero_pattern);
  const float limit = static_cast<float>((1 << block.bits) - 1);
  for (int i = 0; i < block.size; ++i) {
    const float offset = BFloat16ToFloat(block.values[i]) - zero;
    const float quotient = scale == 0 ? 0 : offset / scale;
    const float code = std::round(std::clamp(quotient, 0.0f, limit));
    block.stored[i] = static_cast<uint8_t>(code);
  }
  return pattern;
}

}  // namespace

void QuantizeRowReference(const QuantizeArgs& args, const QuantizeRow& row) {
  uint8_t stored[64];
  const int bytes = args.block * args.bits / 8;
  for (int b = 0; b < args.points.dim / args.block; ++b) {
    const Block block = {row.values + b * args.block, args.block, args.bits,
                         stored};
    switch (args.rule) {
      case QuantizeRule::kAbsmax:
        row.scales[b] = QuantizeAbsmax(block);
        break;
      case QuantizeRule::kMinMax:
        row.scales[b] = QuantizeMinMax(block, row.zeros + b);
        break;
      case QuantizeRule::kRoundToNearest:
        row.scales[b] = QuantizeToNearest(block);
        break;
      case QuantizeRule::kSearch:
      case QuantizeRule::kFourLevels:
      case QuantizeRule::kFourSearch:
        return QuantizeRowSearch(args, row);
    }
    PackBits(stored, args.block, args.bits, row.codes + b * bytes);
  }
}

}  // namespace qvg::kernels::internal
