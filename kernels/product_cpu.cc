#include "kernels/product_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/product_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <limits>

#include "hwy/highway.h"
#include "kernels/simd_numeric-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels::internal {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void ProductTileTarget(const ProductArgs& args, const ProductTile& tile) {
  ProductTileReference(args, tile);
}

#else

// One lane per token: everything below is done for two vectors of tokens, and
// tables are broadcast.
namespace hn = hwy::HWY_NAMESPACE;
namespace simd = qvg::kernels::HWY_NAMESPACE;
using simd::kLanes;
using simd::TagF32;
using simd::VecF32;

constexpr int kGroup = 2 * kLanes;
constexpr int kWidth = 4;  // of the parts
static_assert(kProductTile % kGroup == 0);

struct Pair {
  VecF32 low;
  VecF32 high;
};

HWY_INLINE Pair SetPair(float value) {
  const auto both = hn::Set(TagF32(), value);
  return {both, both};
}

HWY_INLINE Pair LoadPair(const float* values) {
  return {hn::LoadU(TagF32(), values), hn::LoadU(TagF32(), values + kLanes)};
}

// columns[d, t] = x[t, d] - mean[d]; 0 past the end of the tile.
void Centre(const ProductArgs& args, const ProductTile& tile, float* columns) {
  const int dim = args.rows.codec.head_dim;
  const float* mean = args.tables.mean + int64_t{tile.head} * dim;
  if (tile.count < kProductTile) {
    std::fill_n(columns, dim * kProductTile, 0.0f);
  }
  for (int t = 0; t < tile.count; ++t) {
    for (int d = 0; d < dim; ++d) {
      columns[d * kProductTile + t] = tile.rows[t * dim + d] - mean[d];
    }
  }
}

// out[j] = sum over i of rotation[i, j] in[i] for one vector of tokens, four
// columns j at a time.
void RotateVector(const float* HWY_RESTRICT rotation, int dim,
                  const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  constexpr TagF32 df;
  for (int j = 0; j < dim; j += 4, out += 4 * kProductTile) {
    auto a = hn::Zero(df);
    auto b = hn::Zero(df);
    auto c = hn::Zero(df);
    auto d = hn::Zero(df);
    for (int i = 0; i < dim; ++i) {
      const auto value = hn::LoadU(df, in + i * kProductTile);
      const float* weights = rotation + i * dim + j;
      a = hn::MulAdd(hn::Set(df, weights[0]), value, a);
      b = hn::MulAdd(hn::Set(df, weights[1]), value, b);
      c = hn::MulAdd(hn::Set(df, weights[2]), value, c);
      d = hn::MulAdd(hn::Set(df, weights[3]), value, d);
    }
    hn::StoreU(a, df, out);
    hn::StoreU(b, df, out + kProductTile);
    hn::StoreU(c, df, out + 2 * kProductTile);
    hn::StoreU(d, df, out + 3 * kProductTile);
  }
}

VecF32 InverseRoot(VecF32 mean_square) {
  constexpr TagF32 df;
  const auto inverse = hn::Div(hn::Set(df, 1.0f), hn::Sqrt(mean_square));
  return hn::IfThenElseZero(hn::Gt(mean_square, hn::Zero(df)), inverse);
}

// 1 / the root mean square of a group's rows; 0 where it is 0.
Pair Normalizers(const float* columns, int dim) {
  Pair sum = SetPair(0);
  for (int d = 0; d < dim; ++d) {
    const Pair value = LoadPair(columns + d * kProductTile);
    sum.low = hn::MulAdd(value.low, value.low, sum.low);
    sum.high = hn::MulAdd(value.high, value.high, sum.high);
  }
  const auto share = hn::Set(TagF32(), 1.0f / static_cast<float>(dim));
  return {InverseRoot(hn::Mul(sum.low, share)),
          InverseRoot(hn::Mul(sum.high, share))};
}

void StoreCodes(VecF32 indices, uint8_t* codes) {
  HWY_ALIGN float values[kLanes];
  hn::Store(indices, TagF32(), values);
  for (int i = 0; i < kLanes; ++i) codes[i] = static_cast<uint8_t>(values[i]);
}

// Four channels of a vector of tokens, each multiplied by its token's factor.
struct Part {
  Part(const float* columns, VecF32 factor)
      : a(hn::Mul(hn::LoadU(TagF32(), columns), factor)),
        b(hn::Mul(hn::LoadU(TagF32(), columns + kProductTile), factor)),
        c(hn::Mul(hn::LoadU(TagF32(), columns + 2 * kProductTile), factor)),
        d(hn::Mul(hn::LoadU(TagF32(), columns + 3 * kProductTile), factor)) {}

  VecF32 a, b, c, d;
};

// The entries of one part that are nearest to a group of tokens, by
// |entry|^2 / 2 - <token, entry>. Named variables, as arrays would be spilled.
void FindNearest(const float* columns, const Pair& factor,
                 const float* HWY_RESTRICT entries,
                 const float* HWY_RESTRICT half_norms,
                 uint8_t* HWY_RESTRICT codes) {
  constexpr TagF32 df;
  const Part low(columns, factor.low);
  const Part high(columns + kLanes, factor.high);
  auto low_score = hn::Set(df, std::numeric_limits<float>::infinity());
  auto high_score = low_score;
  auto low_best = hn::Zero(df);
  auto high_best = hn::Zero(df);
  auto index = hn::Zero(df);
  for (int k = 0; k < kProductEntries; ++k, entries += kWidth) {
    const auto a = hn::Set(df, entries[0]);
    const auto b = hn::Set(df, entries[1]);
    const auto c = hn::Set(df, entries[2]);
    const auto d = hn::Set(df, entries[3]);
    const auto half_norm = hn::Set(df, half_norms[k]);
    auto score = hn::NegMulAdd(low.a, a, half_norm);
    score = hn::NegMulAdd(low.b, b, score);
    score = hn::NegMulAdd(low.c, c, score);
    score = hn::NegMulAdd(low.d, d, score);
    low_best = hn::IfThenElse(hn::Lt(score, low_score), index, low_best);
    low_score = hn::Min(score, low_score);
    score = hn::NegMulAdd(high.a, a, half_norm);
    score = hn::NegMulAdd(high.b, b, score);
    score = hn::NegMulAdd(high.c, c, score);
    score = hn::NegMulAdd(high.d, d, score);
    high_best = hn::IfThenElse(hn::Lt(score, high_score), index, high_best);
    high_score = hn::Min(score, high_score);
    index = hn::Add(index, hn::Set(df, 1.0f));
  }
  StoreCodes(low_best, codes);
  StoreCodes(high_best, codes + kLanes);
}

// Codes and scale of one token, from the tile's columns and codes.
void StoreToken(const ProductArgs& args, const ProductTile& tile, int token,
                const float* rotated) {
  const int64_t row = (tile.first + token) * args.rows.heads + tile.head;
  const float* entries = CodebookOf(args, tile.head);
  float product = 0;
  float squared = 0;
  for (int p = 0; p < args.parts; ++p, entries += kProductEntries * kWidth) {
    const uint8_t code = tile.codes[p * kProductTile + token];
    args.codes[row * args.parts + p] = code;
    for (int w = 0; w < kWidth; ++w) {
      const float entry = entries[code * kWidth + w];
      product += rotated[(p * kWidth + w) * kProductTile + token] * entry;
      squared += entry * entry;
    }
  }
  args.scales[row] = ProductScale(product, squared);
}

void EncodeTile(const ProductArgs& args, const ProductTile& tile) {
  const int dim = args.rows.codec.head_dim;
  const float* rotation = args.tables.rotation + int64_t{tile.head} * dim * dim;
  float* rotated = tile.columns + dim * kProductTile;
  Centre(args, tile, tile.columns);
  for (int group = 0; group < tile.count; group += kGroup) {
    RotateVector(rotation, dim, tile.columns + group, rotated + group);
    RotateVector(rotation, dim, tile.columns + group + kLanes,
                 rotated + group + kLanes);
    const Pair factor = Normalizers(rotated + group, dim);
    const float* entries = CodebookOf(args, tile.head);
    for (int p = 0; p < args.parts; ++p) {
      FindNearest(rotated + p * kWidth * kProductTile + group, factor,
                  entries + p * kProductEntries * kWidth,
                  tile.half_norms + p * kProductEntries,
                  tile.codes + p * kProductTile + group);
    }
  }
  for (int t = 0; t < tile.count; ++t) {
    StoreToken(args, tile, t, rotated);
  }
}

void ProductTileTarget(const ProductArgs& args, const ProductTile& tile) {
  const bool fits = args.rows.codec.head_dim / args.parts == kWidth;
  fits ? EncodeTile(args, tile) : ProductTileReference(args, tile);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels::internal
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels::internal {

HWY_EXPORT(ProductTileTarget);

void ProductTileFast(const ProductArgs& args, const ProductTile& tile) {
  HWY_DYNAMIC_DISPATCH(ProductTileTarget)(args, tile);
}

}  // namespace qvg::kernels::internal
#endif  // HWY_ONCE
