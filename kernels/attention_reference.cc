#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_internal.h"
#include "kernels/decode_tile.h"

namespace qvg::kernels::internal {
namespace {

// The online softmax of one query.
struct Row {
  const float* q;
  float* out;  // weighted sum of values, relative to `max`
  float max;   // of the scaled logits so far
  float sum;   // of exp(logit - max)
};

struct Tile {
  const float* keys;    // [count, dim]
  const float* values;  // [count, dim]
  int count;
  int dim;
};

float Dot(const float* a, const float* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void RaiseMax(float max, int dim, Row* row) {
  const float correction = std::exp(row->max - max);
  row->max = max;
  row->sum *= correction;
  for (int d = 0; d < dim; ++d) row->out[d] *= correction;
}

void AddTile(const Tile& tile, float scale, Row* row) {
  float logits[kKeyTile];
  for (int k = 0; k < tile.count; ++k) {
    logits[k] = scale * Dot(row->q, tile.keys + k * tile.dim, tile.dim);
  }
  const float max = *std::max_element(logits, logits + tile.count);
  if (max > row->max) RaiseMax(max, tile.dim, row);
  for (int k = 0; k < tile.count; ++k) {
    const float weight = std::exp(logits[k] - row->max);
    const float* value = tile.values + k * tile.dim;
    row->sum += weight;
    for (int d = 0; d < tile.dim; ++d) row->out[d] += weight * value[d];
  }
}

Row StartRow(const AttentionArgs& args, int head, int64_t query) {
  Row row;
  row.q = args.q + query * args.q_token_stride + head * args.q_head_stride;
  row.out =
      args.out + query * args.out_token_stride + head * args.out_head_stride;
  row.max = std::numeric_limits<float>::lowest();
  row.sum = 0;
  std::fill_n(row.out, args.head_dim, 0.0f);
  return row;
}

void FinishRow(const AttentionArgs& args, int head, int64_t query,
               const Row& row) {
  for (int d = 0; d < args.head_dim; ++d) row.out[d] /= row.sum;
  if (args.lse != nullptr) {
    args.lse[head * args.queries + query] = row.max + std::log(row.sum);
  }
}

}  // namespace

size_t ReferenceFloats(int head_dim) { return size_t{2} * kKeyTile * head_dim; }

void AttendBlockReference(const AttentionArgs& args, const QueryBlock& block,
                          float* workspace) {
  const int dim = args.head_dim;
  float* keys = workspace;
  float* values = workspace + kKeyTile * dim;
  Row rows[kQueryBlock];
  for (int i = 0; i < block.count; ++i) {
    rows[i] = StartRow(args, block.head, block.first + i);
  }
  ForEachTile(args, [&](const KeyTile& tile) {
    DecodeTile(tile.segment->keys, block.head, tile.first, tile.count, keys);
    for (int k = 0; k < tile.count; ++k) {
      Turn(args.rotary, tile.segment->position + tile.first + k, dim,
           keys + k * dim);
    }
    DecodeTile(tile.segment->values, block.head, tile.first, tile.count,
               values);
    for (int i = 0; i < block.count; ++i) {
      AddTile({keys, values, tile.count, dim}, args.scale, &rows[i]);
    }
  });
  for (int i = 0; i < block.count; ++i) {
    FinishRow(args, block.head, block.first + i, rows[i]);
  }
}

}  // namespace qvg::kernels::internal
