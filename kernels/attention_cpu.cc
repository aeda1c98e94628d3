#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_internal.h"
#include "kernels/decode_tile.h"
#include "kernels/numeric.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/multiply-inl.h"
#include "kernels/panels-inl.h"
#include "kernels/simd_math-inl.h"

#ifndef KERNELS_ATTENTION_CPU_ONCE_
#define KERNELS_ATTENTION_CPU_ONCE_
namespace qvg::kernels::internal {

// Queries whose scores of one tile stay in the first-level cache from the
// product with the keys to the product with the values.
inline constexpr int kScoreRows = 24;

// One worker's memory, cut up. [queries, dim] unless said otherwise.
struct BlockMemory {
  BlockMemory(float* memory, int dim) : next_(memory) {
    for (float** rows : {&q, &rotated_q, &out, &rotated_out}) {
      *rows = Take(kQueryBlock * dim);
    }
    for (float** column :
         {&zeros, &mean_logits, &max, &sum, &rotated_sum, &scales}) {
      *column = Take(std::max(kQueryBlock, kKeyTile));
    }
    for (float** tile : {&keys, &values, &decoded})
      *tile = Take(kKeyTile * dim);
    scores = Take(kScoreRows * kKeyTile);
    matrix = Take(dim * dim);
  }
  // What the constructor cuts up.
  static size_t Floats(size_t dim) {
    return dim * (4 * kQueryBlock + 3 * kKeyTile + dim) +
           6 * std::max(kQueryBlock, kKeyTile) + kScoreRows * kKeyTile;
  }

  float* q;            // times scale * log2(e), so that weights are 2^logit
  float* rotated_q;    // q A of the layer's key tables
  float* out;          // weighted sum of plain values
  float* rotated_out;  // and of values in the space of the value tables
  float* zeros;        // [queries]
  float* mean_logits;  // [queries] q m
  float* max;          // [queries] of the logits so far, base 2
  float* sum;          // [queries] of the weights
  float* rotated_sum;  // [queries] of those of rotated_out
  float* scales;       // [keys] of a product tile
  float* keys;         // panel
  float* values;       // panel
  float* decoded;      // [keys, dim]
  float* scores;       // [kScoreRows, kKeyTile]
  float* matrix;       // panel [dim, dim]

 private:
  float* Take(size_t floats) {
    float* memory = next_;
    next_ += floats;
    return memory;
  }
  float* next_;
};

}  // namespace qvg::kernels::internal
#endif  // KERNELS_ATTENTION_CPU_ONCE_

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void AttendBlock(const AttentionArgs& args, const internal::QueryBlock& block,
                 float* memory) {
  internal::AttendBlockReference(args, block, memory);
}

#else

using internal::BlockMemory;
using internal::KeyTile;
using internal::kKeyTile;
using internal::kQueryBlock;
using internal::kScoreRows;
using internal::QueryBlock;

// Whether a tensor can be read in the space of `tables`.
inline bool LooksUp(const PackedTensor& tensor, const ProductTables& tables) {
  return tensor.codec.encoding == Encoding::kProduct &&
         tensor.codec.parts * 4 == tensor.codec.head_dim &&
         tensor.tables.rotation == tables.rotation &&
         tensor.tables.mean == tables.mean &&
         tensor.tables.codebook == tables.codebook;
}

// Attention of one block of queries of one head. Keys and values of the first
// product tables met are never rotated: the queries are instead, once, and the
// weighted sum, once. All other tensors are decoded to plain rows.
class BlockAttention {
 public:
  BlockAttention(const AttentionArgs& args, const QueryBlock& block,
                 float* memory)
      : args_(args),
        block_(block),
        dim_(args.head_dim),
        memory_(memory, args.head_dim) {}

  void Run() {
    Start();
    internal::ForEachTile(
        args_, [this](const KeyTile& tile) HWY_ATTR { AddTile(tile); });
    Finish();
  }

 private:
  void Start();
  void FindTables();
  void RotateQueries();
  void AddTile(const KeyTile& tile);
  RowSource DecodedRows(const PackedTensor& tensor, const KeyTile& tile);
  RowSource TurnedKeys(const KeyTile& tile);
  LookUpSource LookUps(const PackedTensor& tensor, const ProductTables& tables,
                       const KeyTile& tile);
  bool LoadKeys(const KeyTile& tile);
  bool LoadValues(const KeyTile& tile);
  void Weigh(int first, int rows, int keys, bool rotated_values);
  void RaiseMax(int query, float max);
  void Rotate();
  void Finish();
  void StoreRow(int query);

  const AttentionArgs& args_;
  const QueryBlock& block_;
  const size_t dim_;
  const BlockMemory memory_;
  ProductTables key_tables_;
  ProductTables value_tables_;
};

inline void Scale(float factor, size_t count, float* HWY_RESTRICT values) {
  const hn::ScalableTag<float> d;
  const auto factors = hn::Set(d, factor);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(hn::Mul(hn::Load(d, values + i), factors), d, values + i);
  }
}

// Of the first `count` > 0 of a whole number of vectors.
inline float MaxOf(const float* HWY_RESTRICT values, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto max = hn::Set(d, values[0]);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    max = hn::Max(max, hn::Load(d, values + i));
  }
  if (i < count) {
    max = hn::IfThenElse(hn::FirstN(d, count - i),
                         hn::Max(max, hn::Load(d, values + i)), max);
  }
  return hn::GetLane(hn::MaxOfLanes(d, max));
}

// Replaces logits by 2^(logit - max), those past `count` by 0, and returns
// their sum.
inline float Exponentials(float* HWY_RESTRICT values, size_t count, float max) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto maxes = hn::Set(d, max);
  auto sum = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto weight = Exp2(d, hn::Sub(hn::Load(d, values + i), maxes));
    hn::Store(weight, d, values + i);
    sum = hn::Add(sum, weight);
  }
  if (i < count) {
    const auto weight =
        hn::IfThenElseZero(hn::FirstN(d, count - i),
                           Exp2(d, hn::Sub(hn::Load(d, values + i), maxes)));
    hn::Store(weight, d, values + i);
    sum = hn::Add(sum, weight);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void BlockAttention::Start() {
  const float factor = args_.scale * 1.44269504f;
  for (int i = 0; i < block_.count; ++i) {
    const float* in = args_.q + (block_.first + i) * args_.q_token_stride +
                      block_.head * args_.q_head_stride;
    float* out = memory_.q + i * dim_;
    for (size_t c = 0; c < dim_; ++c) out[c] = in[c] * factor;
  }
  std::fill_n(memory_.out, block_.count * dim_, 0.0f);
  std::fill_n(memory_.rotated_out, block_.count * dim_, 0.0f);
  std::fill_n(memory_.max, block_.count, std::numeric_limits<float>::lowest());
  for (float* zero : {memory_.zeros, memory_.sum, memory_.rotated_sum}) {
    std::fill_n(zero, block_.count, 0.0f);
  }
  FindTables();
  if (key_tables_.rotation != nullptr) RotateQueries();
}

void BlockAttention::FindTables() {
  for (int s = args_.num_segments - 1; s >= 0; --s) {
    const KvSegment& segment = args_.segments[s];
    if (segment.keys.tokens == 0) continue;
    if (args_.rotary.empty() && LooksUp(segment.keys, segment.keys.tables)) {
      key_tables_ = segment.keys.tables;
    }
    if (LooksUp(segment.values, segment.values.tables)) {
      value_tables_ = segment.values.tables;
    }
  }
}

// q (A y + m) = (q A) y + q m.
void BlockAttention::RotateQueries() {
  const size_t head = block_.head;
  const RowSource rotation{key_tables_.rotation + head * dim_ * dim_, dim_,
                           dim_};
  Panel(rotation, dim_, memory_.matrix);
  Multiply({memory_.q, dim_, size_t(block_.count), dim_, memory_.matrix, dim_,
            memory_.rotated_q, dim_, memory_.zeros});
  const float* mean = key_tables_.mean + head * dim_;
  for (int i = 0; i < block_.count; ++i) {
    const float* q = memory_.q + i * dim_;
    float logit = 0;
    for (size_t c = 0; c < dim_; ++c) logit += q[c] * mean[c];
    memory_.mean_logits[i] = logit;
  }
}

RowSource BlockAttention::DecodedRows(const PackedTensor& tensor,
                                      const KeyTile& tile) {
  if (tensor.codec.encoding == Encoding::kF32) {
    return {static_cast<const float*>(tensor.values) +
                tile.first * tensor.token_stride +
                block_.head * tensor.head_stride,
            size_t(tensor.token_stride), size_t(tile.count)};
  }
  DecodeTile(tensor, block_.head, tile.first, tile.count, memory_.decoded);
  return {memory_.decoded, dim_, size_t(tile.count)};
}

RowSource BlockAttention::TurnedKeys(const KeyTile& tile) {
  DecodeTile(tile.segment->keys, block_.head, tile.first, tile.count,
             memory_.decoded);
  for (int k = 0; k < tile.count; ++k) {
    Turn(args_.rotary, tile.segment->position + tile.first + k,
         static_cast<int>(dim_), memory_.decoded + k * dim_);
  }
  return {memory_.decoded, dim_, size_t(tile.count)};
}

LookUpSource BlockAttention::LookUps(const PackedTensor& tensor,
                                     const ProductTables& tables,
                                     const KeyTile& tile) {
  const int64_t row = tile.first * tensor.heads + block_.head;
  for (int i = 0; i < tile.count; ++i) {
    memory_.scales[i] = kE4M3Values[tensor.scales[row + i * tensor.heads]];
  }
  return {tables.codebook + block_.head * 256 * dim_,
          tensor.codes + row * tensor.codec.parts,
          size_t(tensor.heads * tensor.codec.parts), size_t(tile.count),
          memory_.scales};
}

// Returns whether the keys are in the space of key_tables_.
bool BlockAttention::LoadKeys(const KeyTile& tile) {
  const PackedTensor& keys = tile.segment->keys;
  if (!args_.rotary.empty()) {
    TransposedPanel(TurnedKeys(tile), dim_, memory_.keys);
    return false;
  }
  if (LooksUp(keys, key_tables_)) {
    TransposedPanel(LookUps(keys, key_tables_, tile), dim_, memory_.keys);
    return true;
  }
  TransposedPanel(DecodedRows(keys, tile), dim_, memory_.keys);
  return false;
}

bool BlockAttention::LoadValues(const KeyTile& tile) {
  const PackedTensor& values = tile.segment->values;
  if (LooksUp(values, value_tables_)) {
    Panel(LookUps(values, value_tables_, tile), dim_, memory_.values);
    return true;
  }
  Panel(DecodedRows(values, tile), dim_, memory_.values);
  return false;
}

void BlockAttention::AddTile(const KeyTile& tile) {
  const bool rotated_keys = LoadKeys(tile);
  const bool rotated_values = LoadValues(tile);
  const float* q = rotated_keys ? memory_.rotated_q : memory_.q;
  const float* starts = rotated_keys ? memory_.mean_logits : memory_.zeros;
  float* out = rotated_values ? memory_.rotated_out : memory_.out;
  const size_t columns = (tile.count + kStrip - 1) / kStrip * kStrip;
  for (int first = 0; first < block_.count; first += kScoreRows) {
    const int rows = std::min(kScoreRows, block_.count - first);
    Multiply({q + first * dim_, dim_, size_t(rows), dim_, memory_.keys, columns,
              memory_.scores, kKeyTile, starts + first});
    Weigh(first, rows, tile.count, rotated_values);
    Multiply({memory_.scores, kKeyTile, size_t(rows), size_t(tile.count),
              memory_.values, dim_, out + first * dim_, dim_, nullptr});
  }
}

// Turns the logits of some queries into weights relative to their new maxima.
void BlockAttention::Weigh(int first, int rows, int keys, bool rotated_values) {
  for (int i = 0; i < rows; ++i) {
    float* scores = memory_.scores + i * kKeyTile;
    const int query = first + i;
    const float max = MaxOf(scores, keys);
    if (max > memory_.max[query]) RaiseMax(query, max);
    const float sum = Exponentials(scores, keys, memory_.max[query]);
    memory_.sum[query] += sum;
    if (rotated_values) memory_.rotated_sum[query] += sum;
  }
}

void BlockAttention::RaiseMax(int query, float max) {
  const hn::ScalableTag<float> d;
  const float correction =
      hn::GetLane(Exp2(d, hn::Set(d, memory_.max[query] - max)));
  memory_.max[query] = max;
  memory_.sum[query] *= correction;
  memory_.rotated_sum[query] *= correction;
  Scale(correction, dim_, memory_.out + query * dim_);
  Scale(correction, dim_, memory_.rotated_out + query * dim_);
}

// Adds the rotated sum: sum p (A y + m) = A (sum p y) + (sum p) m.
void BlockAttention::Rotate() {
  const size_t head = block_.head;
  const RowSource rotation{value_tables_.rotation + head * dim_ * dim_, dim_,
                           dim_};
  TransposedPanel(rotation, dim_, memory_.matrix);
  Multiply({memory_.rotated_out, dim_, size_t(block_.count), dim_,
            memory_.matrix, dim_, memory_.out, dim_, nullptr});
  const float* mean = value_tables_.mean + head * dim_;
  for (int i = 0; i < block_.count; ++i) {
    float* out = memory_.out + i * dim_;
    for (size_t c = 0; c < dim_; ++c) {
      out[c] += memory_.rotated_sum[i] * mean[c];
    }
  }
}

void BlockAttention::Finish() {
  if (value_tables_.rotation != nullptr) Rotate();
  for (int i = 0; i < block_.count; ++i) StoreRow(i);
}

void BlockAttention::StoreRow(int query) {
  const float* in = memory_.out + query * dim_;
  const int64_t token = block_.first + query;
  float* out = args_.out + token * args_.out_token_stride +
               block_.head * args_.out_head_stride;
  for (size_t c = 0; c < dim_; ++c) out[c] = in[c] / memory_.sum[query];
  if (args_.lse != nullptr) {
    const double log2 = std::log2(double{memory_.sum[query]});
    args_.lse[block_.head * args_.queries + token] =
        static_cast<float>((memory_.max[query] + log2) * 0.69314718055994531);
  }
}

void AttendBlock(const AttentionArgs& args, const QueryBlock& block,
                 float* memory) {
  BlockAttention(args, block, memory).Run();
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels {

HWY_EXPORT(AttendBlock);

namespace internal {

size_t FastFloats(int head_dim) { return BlockMemory::Floats(head_dim); }

void AttendBlockFast(const AttentionArgs& args, const QueryBlock& block,
                     float* workspace) {
  HWY_DYNAMIC_DISPATCH(AttendBlock)(args, block, workspace);
}

}  // namespace internal
}  // namespace qvg::kernels
#endif  // HWY_ONCE
