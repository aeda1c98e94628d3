#include "kernels/min_max.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/decode_tile.h"
#include "kernels/hadamard.h"
#include "kernels/numeric.h"
#include "kernels/pack_codes.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

// A group's zero and scale, as rounded.
struct Group {
  float zero;
  float scale;
};

Group StoreGroup(float min, float max, int bits, uint16_t* half_zero,
                 uint16_t* half_scale) {
  const float steps = static_cast<float>((1 << bits) - 1);
  *half_zero = FloatToHalf(min);
  *half_scale = FloatToHalf((max - min) / steps);
  return {HalfToFloat(*half_zero), HalfToFloat(*half_scale)};
}

uint8_t CodeOf(float value, const Group& group, int bits) {
  if (group.scale == 0) return 0;
  const float limit = static_cast<float>((1 << bits) - 1);
  const float quotient = (value - group.zero) / group.scale;
  return static_cast<uint8_t>(
      std::nearbyint(std::clamp(quotient, 0.0f, limit)));
}

const uint16_t* PointOf(const MinMaxArgs& args, int head, int64_t token) {
  const Points& points = args.points;
  return points.values + (head * points.tokens + token) * points.dim;
}

uint8_t* CodesOf(const MinMaxArgs& args, int head, int64_t token) {
  return args.codes +
         (token * args.points.heads + head) * CodeBytes(args.codec);
}

// A token's vector times the Hadamard matrix; what overflows saturates.
void Rotate(const uint16_t* point, int dim, float* row) {
  constexpr double kMax = std::numeric_limits<float>::max();
  double exact[kMaxHeadDim];
  std::transform(point, point + dim, exact, BFloat16ToFloat);
  Hadamard(dim, exact);
  for (int d = 0; d < dim; ++d) {
    row[d] = static_cast<float>(std::clamp(exact[d], -kMax, kMax));
  }
}

// The groups of channels of one token.
void EncodeChannels(const MinMaxArgs& args, int head, int64_t token) {
  const int dim = args.points.dim;
  const int block = args.codec.block;
  const int bits = args.codec.bits;
  const uint16_t* point = PointOf(args, head, token);
  float row[kMaxHeadDim];
  if (args.codec.hadamard) {
    Rotate(point, dim, row);
  } else {
    std::transform(point, point + dim, row, BFloat16ToFloat);
  }
  uint8_t stored[kMaxHeadDim];
  int64_t at = (token * args.points.heads + head) * (dim / block);
  for (int first = 0; first < dim; first += block, ++at) {
    const auto [min, max] =
        std::minmax_element(row + first, row + first + block);
    const Group group = StoreGroup(*min, *max, bits, args.half_zeros + at,
                                   args.half_scales + at);
    for (int d = first; d < first + block; ++d) {
      stored[d] = CodeOf(row[d], group, bits);
    }
  }
  internal::PackBits(stored, dim, bits, CodesOf(args, head, token));
}

// The extremes of every channel over the tokens of a group.
struct Extremes {
  float min[kMaxHeadDim];
  float max[kMaxHeadDim];
};

void Find(const MinMaxArgs& args, int head, int64_t first, Extremes* out) {
  const int dim = args.points.dim;
  const uint16_t* point = PointOf(args, head, first);
  std::transform(point, point + dim, out->min, BFloat16ToFloat);
  std::copy_n(out->min, dim, out->max);
  for (int i = 1; i < args.codec.block; ++i) {
    point += dim;
    for (int d = 0; d < dim; ++d) {
      const float value = BFloat16ToFloat(point[d]);
      out->min[d] = std::min(out->min[d], value);
      out->max[d] = std::max(out->max[d], value);
    }
  }
}

// The groups of `codec.block` tokens, one for each channel.
void EncodeTokens(const MinMaxArgs& args, int head, int64_t index) {
  const int dim = args.points.dim;
  const int bits = args.codec.bits;
  const int64_t first = index * args.codec.block;
  const int64_t at = (index * args.points.heads + head) * dim;
  Extremes extremes;
  Find(args, head, first, &extremes);
  Group groups[kMaxHeadDim];
  for (int d = 0; d < dim; ++d) {
    groups[d] = StoreGroup(extremes.min[d], extremes.max[d], bits,
                           args.half_zeros + at + d, args.half_scales + at + d);
  }
  uint8_t stored[kMaxHeadDim];
  for (int64_t token = first; token < first + args.codec.block; ++token) {
    const uint16_t* point = PointOf(args, head, token);
    for (int d = 0; d < dim; ++d) {
      stored[d] = CodeOf(BFloat16ToFloat(point[d]), groups[d], bits);
    }
    internal::PackBits(stored, dim, bits, CodesOf(args, head, token));
  }
}

// Tokens after the last whole group stay as they are.
void CopyRest(const MinMaxArgs& args, int head) {
  const Points& points = args.points;
  const int64_t grouped = GroupedTokens(args.codec, points.tokens);
  for (int64_t token = grouped; token < points.tokens; ++token) {
    const int64_t row = (token - grouped) * points.heads + head;
    std::copy_n(PointOf(args, head, token), points.dim,
                args.rows + row * points.dim);
  }
}

}  // namespace

// Whether what is written can be read back.
Error internal::CheckMinMax(const MinMaxArgs& args) {
  const Error error = Check(args.points);
  if (!error.ok()) return error;
  if (args.codec.encoding != Encoding::kMinMax ||
      args.codec.head_dim != args.points.dim) {
    return Error::Invalid("codec: must be kMinMax of the points' dim");
  }
  PackedTensor tensor;
  tensor.codec = args.codec;
  tensor.heads = args.points.heads;
  tensor.tokens = args.points.tokens;
  tensor.values = args.rows;
  tensor.codes = args.codes;
  tensor.half_scales = args.half_scales;
  tensor.half_zeros = args.half_zeros;
  return Check(tensor);
}

Error EncodeMinMax(const MinMaxArgs& args, ParallelFor& parallel_for) {
  const Error error = internal::CheckMinMax(args);
  if (!error.ok()) return error;
  const int heads = args.points.heads;
  if (args.codec.axis == GroupAxis::kToken) {
    const int64_t groups = args.points.tokens / args.codec.block;
    parallel_for(groups * heads, [&](int64_t i, int) {
      EncodeTokens(args, static_cast<int>(i % heads), i / heads);
    });
    for (int head = 0; head < heads; ++head) CopyRest(args, head);
    return Error::Ok();
  }
  const int64_t tokens = args.points.tokens;
  constexpr int64_t kTile = 64;  // of tokens, all heads
  parallel_for(internal::Tiles(tokens, kTile), [&](int64_t tile, int) {
    const int64_t end = std::min(tokens, (tile + 1) * kTile);
    for (int64_t token = tile * kTile; token < end; ++token) {
      for (int head = 0; head < heads; ++head) {
        EncodeChannels(args, head, token);
      }
    }
  });
  return Error::Ok();
}

}  // namespace qvg::kernels
