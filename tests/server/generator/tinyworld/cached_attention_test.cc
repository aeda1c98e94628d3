#include "server/generator/tinyworld/cached_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "server/generator/tinyworld/torch_parallel_for.h"
#include "tests/cache/chunk_data.h"
#include "tests/server/generator/tinyworld/test_session.h"

namespace qvg::tinyworld {
namespace {

constexpr int kLocal = 4, kGlobal = 5;  // a block of each sort

at::Tensor Random(uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({1, kTokens, kWidth});
}

// (1,128,256) as (4,128,64) FP64.
at::Tensor ByHead(const at::Tensor& x) {
  return x.view({kTokens, kHeads, kHeadDim}).transpose(0, 1).to(at::kDouble);
}

// softmax(q k^T / 8) v in FP64: q (4,128,64), k and v (4,N,64); (1,128,256).
at::Tensor Softmax(const at::Tensor& q, const at::Tensor& k,
                   const at::Tensor& v) {
  const at::Tensor weights =
      at::softmax(at::matmul(q, k.transpose(1, 2)) / 8, 2);
  return at::matmul(weights, v).transpose(0, 1).reshape({1, kTokens, kWidth});
}

double RelativeError(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual.to(at::kDouble) - expected).norm() / expected.norm())
      .item<double>();
}

// A session with a history of random keys and values.
class History {
 public:
  History(const std::string& spec, int chunks)
      : session_(spec, chunks),
        stored_(spec.find("f32") == spec.npos ? at::kBFloat16 : at::kFloat) {
    TorchParallelFor parallel_for;
    Workspace workspace;
    for (int i = 0; i < chunks; ++i) {
      data_.emplace_back(Layout(), 100 + i);
      const absl::Status status = session_.state().cache->Append(
          data_.back().segments(), PrefixKey(), parallel_for, workspace);
      EXPECT_TRUE(status.ok()) << status;
    }
  }

  const KvCache& cache() const { return session_.cache(); }

  // What the cache must hold of the newest `chunks` chunks, and then `own`:
  // (4,N,64) FP64.
  at::Tensor Rows(int block, int tensor, int chunks, const at::Tensor& own) {
    std::vector<at::Tensor> rows;
    for (size_t i = data_.size() - chunks; i < data_.size(); ++i) {
      rows.push_back(at::from_blob(data_[i].values(block, tensor).data(),
                                   {kHeads, kTokens, kHeadDim})
                         .to(stored_)
                         .to(at::kDouble));
    }
    rows.push_back(ByHead(own));
    return at::cat(rows, 1);
  }

 private:
  TestSession session_;
  at::ScalarType stored_;
  std::vector<ChunkData> data_;
};

class CachedAttentionTest : public testing::TestWithParam<std::string> {};

TEST_P(CachedAttentionTest, IsDenseSoftmaxOverHistoryAndOwnTokens) {
  constexpr int kChunks = 5;  // more than a window
  History history(GetParam(), kChunks);
  TorchParallelFor parallel_for;
  CachedAttention attention(history.cache(), parallel_for);
  const at::Tensor q = 3 * Random(1), k = Random(2), v = Random(3);
  for (const int block : {kLocal, kGlobal}) {
    const int seen = block == kLocal ? kWindowChunks : kChunks;
    const at::Tensor expected =
        Softmax(ByHead(q), history.Rows(block, 0, seen, k),
                history.Rows(block, 1, seen, v));
    const at::Tensor actual = attention(block, q, k, v);
    ASSERT_EQ(actual.sizes(), q.sizes());
    EXPECT_LT(RelativeError(actual, expected), 1e-5) << block;
    // The chunk before the window, or none at all, would be noticed.
    EXPECT_GT(
        RelativeError(Softmax(ByHead(q), history.Rows(block, 0, seen - 1, k),
                              history.Rows(block, 1, seen - 1, v)),
                      expected),
        1e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Caches, CachedAttentionTest,
    testing::Values("bf16", "bf16:unpacked=f32", "bf16:tail_chunks=2",
                    "bf16:span_chunks=2,tail_chunks=1,sink_chunks=1",
                    "bf16:sink_chunks=2,unpacked=f32"));

TEST(CachedAttentionTest, WithoutHistoryAChunkSeesItself) {
  History history("bf16", 0);
  TorchParallelFor parallel_for;
  CachedAttention attention(history.cache(), parallel_for);
  const at::Tensor q = Random(1), k = Random(2), v = Random(3);
  EXPECT_LT(RelativeError(attention(kGlobal, q, k, v),
                          Softmax(ByHead(q), ByHead(k), ByHead(v))),
            1e-5);
}

TEST(CachedAttentionTest, TakesSlicesOfAWiderTensor) {
  History history("bf16", 2);
  TorchParallelFor parallel_for;
  CachedAttention attention(history.cache(), parallel_for);
  const at::Tensor q = Random(1), k = Random(2), v = Random(3);
  const std::vector<at::Tensor> slices = at::cat({q, k, v}, 2).chunk(3, 2);
  ASSERT_FALSE(slices[1].is_contiguous());
  EXPECT_TRUE(attention(kGlobal, slices[0], slices[1], slices[2])
                  .equal(attention(kGlobal, q, k, v)));
}

// Rows (1,128,256) that a view shows.
at::Tensor Shown(const kernels::PackedTensor& tensor) {
  const std::vector<float> values = Values(tensor);
  return at::tensor(values).view({1, tensor.tokens, kWidth});
}

TEST(CachedAttentionTest, LatestIsOfTheLatestPass) {
  History history("bf16", 1);
  TorchParallelFor parallel_for;
  CachedAttention attention(history.cache(), parallel_for);
  for (const int pass : {0, 1}) {
    for (int block = 0; block + 1 < kBlocks; ++block) {
      const int seed = 100 * pass + 2 * block;
      attention(block, Random(1), Random(seed), Random(seed + 1));
    }
    attention.Keep(kBlocks - 1, Random(100 * pass + 18),
                   Random(100 * pass + 19));
  }
  const std::vector<kernels::KvSegment> latest = attention.latest(0);
  ASSERT_EQ(latest.size(), kBlocks);
  for (int block = 0; block < kBlocks; ++block) {
    EXPECT_TRUE(Shown(latest[block].keys).equal(Random(100 + 2 * block)));
    EXPECT_TRUE(Shown(latest[block].values).equal(Random(101 + 2 * block)));
  }
}

TEST(CachedAttentionTest, KeepOutlivesTheCallersTensors) {
  History history("bf16", 0);
  TorchParallelFor parallel_for;
  CachedAttention attention(history.cache(), parallel_for);
  {
    const at::Tensor k = Random(2), v = Random(3);
    for (int block = 0; block < kBlocks; ++block) attention.Keep(block, k, v);
  }
  EXPECT_TRUE(Shown(attention.latest(0)[kLocal].keys).equal(Random(2)));
  EXPECT_TRUE(Shown(attention.latest(0)[kLocal].values).equal(Random(3)));
}

}  // namespace
}  // namespace qvg::tinyworld
