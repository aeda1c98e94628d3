#include "kernels/quantize.h"

#include <algorithm>

#include "kernels/quantize_internal.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

Error CheckArgs(const QuantizeArgs& args) {
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
  if (args.points.tokens == 0) return Error::Ok();
  if (args.codes == nullptr || args.scales == nullptr) {
    return Error::Invalid("codes, scales: null");
  }
  if (args.rule == QuantizeRule::kMinMax && args.zeros == nullptr) {
    return Error::Invalid("zeros: null");
  }
  return Error::Ok();
}

internal::QuantizeRow RowOf(const QuantizeArgs& args, int head, int64_t token) {
  const Points& points = args.points;
  const int64_t row = token * points.heads + head;
  const int64_t block = row * (points.dim / args.block);
  const bool zeros = args.rule == QuantizeRule::kMinMax;
  return {points.values + (head * points.tokens + token) * points.dim,
          args.codes + row * (points.dim * args.bits / 8), args.scales + block,
          zeros ? args.zeros + block : nullptr};
}

Error Run(internal::QuantizeRowFunction quantize, const QuantizeArgs& args,
          ParallelFor& parallel_for) {
  const Error error = CheckArgs(args);
  if (!error.ok()) return error;
  const int64_t tokens = args.points.tokens;
  constexpr int64_t kTile = 64;  // of tokens, all heads
  parallel_for(internal::Tiles(tokens, kTile), [&](int64_t tile, int) {
    const int64_t end = std::min(tokens, (tile + 1) * kTile);
    for (int head = 0; head < args.points.heads; ++head) {
      for (int64_t token = tile * kTile; token < end; ++token) {
        quantize(args, RowOf(args, head, token));
      }
    }
  });
  return Error::Ok();
}

}  // namespace

Error Quantize(const QuantizeArgs& args, ParallelFor& parallel_for) {
  return Run(&internal::QuantizeRowFast, args, parallel_for);
}

Error QuantizeReference(const QuantizeArgs& args, ParallelFor& parallel_for) {
  return Run(&internal::QuantizeRowReference, args, parallel_for);
}

}  // namespace qvg::kernels
