#include "kernels/quantize.h"

#include <algorithm>

#include "kernels/pack_codes.h"
#include "kernels/quantize_internal.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

bool IsSearch(QuantizeRule rule) {
  return rule == QuantizeRule::kSearch || HasFourLevels(rule);
}

// What takes two bits and symmetric grids.
Error CheckGrid(const QuantizeArgs& args) {
  if (args.bits != 2 && (args.trits || IsSearch(args.rule))) {
    return Error::Invalid("trits, rule: bits must be 2");
  }
  if (args.trits &&
      (args.rule == QuantizeRule::kMinMax || HasFourLevels(args.rule))) {
    return Error::Invalid("trits: the rule must be symmetric");
  }
  return Error::Ok();
}

CodecDescriptor Descriptor(const QuantizeArgs& args) {
  CodecDescriptor codec;
  codec.head_dim = args.points.dim;
  codec.bits = args.bits;
  codec.trits = args.trits;
  return codec;
}

internal::QuantizeRow RowOf(const QuantizeArgs& args, int head, int64_t token) {
  const Points& points = args.points;
  const int64_t row = token * points.heads + head;
  const int64_t block = row * (points.dim / args.block);
  const bool zeros = args.rule == QuantizeRule::kMinMax;
  return {points.values + (head * points.tokens + token) * points.dim,
          args.codes + row * CodeBytes(Descriptor(args)), args.scales + block,
          zeros ? args.zeros + block : nullptr};
}

void QuantizeOne(internal::QuantizeRowFunction quantize,
                 const QuantizeArgs& args, internal::QuantizeRow row) {
  if (!args.trits) return quantize(args, row);
  uint8_t two_bits[kMaxHeadDim / 4];
  uint8_t* codes = row.codes;
  row.codes = two_bits;
  quantize(args, row);
  internal::PackTrits(two_bits, args.points.dim, codes);
}

Error Run(internal::QuantizeRowFunction quantize, const QuantizeArgs& args,
          ParallelFor& parallel_for) {
  const Error error = internal::CheckQuantize(args);
  if (!error.ok()) return error;
  const int64_t tokens = args.points.tokens;
  constexpr int64_t kTile = 64;  // of tokens, all heads
  parallel_for(internal::Tiles(tokens, kTile), [&](int64_t tile, int) {
    const int64_t end = std::min(tokens, (tile + 1) * kTile);
    for (int head = 0; head < args.points.heads; ++head) {
      for (int64_t token = tile * kTile; token < end; ++token) {
        QuantizeOne(quantize, args, RowOf(args, head, token));
      }
    }
  });
  return Error::Ok();
}

}  // namespace

Error internal::CheckQuantize(const QuantizeArgs& args) {
  const Error error = Check(args.points);
  if (!error.ok()) return error;
  if (args.bits != 2 && args.bits != 4) {
    return Error::Invalid("bits: must be 2 or 4");
  }
  if (args.block != 16 && args.block != 32 && args.block != 64) {
    return Error::Invalid("block: must be 16, 32 or 64");
  }
  if (args.points.dim % args.block != 0) {
    return Error::Invalid("block: must divide dim");
  }
  if (const Error grid = CheckGrid(args); !grid.ok()) return grid;
  if (args.points.tokens == 0) return Error::Ok();
  if (args.codes == nullptr || args.scales == nullptr) {
    return Error::Invalid("codes, scales: null");
  }
  if (args.rule == QuantizeRule::kMinMax && args.zeros == nullptr) {
    return Error::Invalid("zeros: null");
  }
  return Error::Ok();
}

Error Quantize(const QuantizeArgs& args, ParallelFor& parallel_for) {
  return Run(&internal::QuantizeRowFast, args, parallel_for);
}

Error QuantizeReference(const QuantizeArgs& args, ParallelFor& parallel_for) {
  return Run(&internal::QuantizeRowReference, args, parallel_for);
}

}  // namespace qvg::kernels
