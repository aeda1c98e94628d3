#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernels/decode_tile.h"
#include "kernels/kmeans.h"
#include "kernels/numeric.h"
#include "kernels/product.h"
#include "kernels/quantize.h"
#include "tests/bench/cases.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::bench {
namespace {

using kernels::AlignedBuffer;
using kernels::CodecDescriptor;
using kernels::Encoding;
using kernels::Error;
using kernels::ParallelFor;
using kernels::Points;
using kernels::RandomTables;
using kernels::RandomTensor;

// TinyWorld's keys or values of one layer.
constexpr int kHeads = 4;
constexpr int kDim = 64;

void Require(const Error& error) {
  if (!error.ok()) std::abort();
}

std::vector<uint16_t> RandomBFloat16(int64_t count, uint64_t seed) {
  const std::vector<float> values = kernels::RandomNormal(count, 1, seed);
  std::vector<uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(),
                 kernels::FloatToBFloat16);
  return halves;
}

// The fast version and the plain one that it is compared with.
Case FastAndPlain(const std::string& name, double flop, int64_t bytes,
                  std::function<void()> fast, std::function<void()> plain) {
  return {name, flop, {{"fast", bytes, fast}, {"plain", bytes, plain, true}}};
}

// All tiles of 304 frames on one thread, head by head, as attention reads
// them.
Case DecodeCase(const std::string& name, const CodecDescriptor& codec) {
  constexpr int64_t kTokens = 9728;
  constexpr int64_t kTile = 128;
  const auto tables =
      std::make_shared<RandomTables>(kernels::Product(kDim), kHeads, 1);
  const auto tensor =
      std::make_shared<RandomTensor>(codec, kHeads, kTokens, 2, tables.get());
  const auto run = [=](auto decode) {
    return [decode, tensor, tables] {
      alignas(64) static float out[kTile * kDim];
      for (int h = 0; h < kHeads; ++h) {
        for (int64_t t = 0; t < kTokens; t += kTile) {
          decode(tensor->view(), h, t, kTile, out);
        }
      }
    };
  };
  return FastAndPlain(name, 0, tensor->bytes(), run(kernels::DecodeTile),
                      run(kernels::DecodeTileReference));
}

struct KmeansData {
  std::vector<uint16_t> points;
  std::vector<uint16_t> centroids;
  std::vector<uint8_t> labels;
  kernels::KmeansArgs args;
  std::unique_ptr<AlignedBuffer> workspace;
};

std::shared_ptr<KmeansData> MakeKmeansData(int64_t tokens, int clusters,
                                           const ParallelFor& parallel_for) {
  auto data = std::make_shared<KmeansData>();
  data->points = RandomBFloat16(kHeads * tokens * kDim, 3);
  data->centroids = RandomBFloat16(int64_t{kHeads} * clusters * kDim, 4);
  data->labels.resize(kHeads * tokens);
  data->args.points = {data->points.data(), kHeads, tokens, kDim};
  data->args.clusters = clusters;
  data->args.centroids = data->centroids.data();
  data->args.labels = data->labels.data();
  data->workspace = std::make_unique<AlignedBuffer>(
      kernels::KmeansWorkspaceBytes(data->args, parallel_for));
  return data;
}

// One assignment and one update.
Case KmeansCase(const std::string& name, int64_t tokens, int clusters,
                ParallelFor& parallel_for) {
  const auto data = MakeKmeansData(tokens, clusters, parallel_for);
  const auto run = [=, &parallel_for](auto assign, auto update) {
    return [=, &parallel_for] {
      AlignedBuffer& workspace = *data->workspace;
      Require(
          assign(data->args, workspace.data(), workspace.size(), parallel_for));
      Require(
          update(data->args, workspace.data(), workspace.size(), parallel_for));
    };
  };
  const double flop = 3.0 * kHeads * tokens * clusters * kDim;
  const int64_t bytes = 2 * (data->points.size() + data->centroids.size());
  return FastAndPlain(
      name, flop, bytes, run(kernels::KmeansAssign, kernels::KmeansUpdate),
      run(kernels::KmeansAssignReference, kernels::KmeansUpdateReference));
}

struct QuantizeData {
  std::vector<uint16_t> points;
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  kernels::QuantizeArgs args;
};

Case QuantizeCase(const std::string& name, int64_t tokens,
                  ParallelFor& parallel_for) {
  auto data = std::make_shared<QuantizeData>();
  const int64_t elements = kHeads * tokens * kDim;
  data->points = RandomBFloat16(elements, 5);
  data->codes.resize(elements / 4);
  data->scales.resize(elements / 64);
  data->args.points = {data->points.data(), kHeads, tokens, kDim};
  data->args.bits = 2;
  data->args.block = 64;
  data->args.codes = data->codes.data();
  data->args.scales = data->scales.data();
  const auto run = [=, &parallel_for](auto quantize) {
    return [=, &parallel_for] { Require(quantize(data->args, parallel_for)); };
  };
  const int64_t bytes = 2 * elements + data->codes.size() + data->scales.size();
  return FastAndPlain(name, 0, bytes, run(kernels::Quantize),
                      run(kernels::QuantizeReference));
}

struct ProductData {
  ProductData(int64_t tokens, const ParallelFor& parallel_for)
      : tables(kernels::Product(kDim), kHeads, 6),
        rows(kernels::Rows(Encoding::kF32, kDim), kHeads, tokens, 7),
        codes(tokens * kHeads * kDim / 4),
        scales(tokens * kHeads) {
    args.rows = rows.view();
    args.parts = kDim / 4;
    args.tables = tables.view();
    args.codes = codes.data();
    args.scales = scales.data();
    workspace = std::make_unique<AlignedBuffer>(
        kernels::ProductWorkspaceBytes(args, parallel_for));
  }

  RandomTables tables;
  RandomTensor rows;
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  kernels::ProductArgs args;
  std::unique_ptr<AlignedBuffer> workspace;
};

Case ProductCase(const std::string& name, int64_t tokens,
                 ParallelFor& parallel_for) {
  const auto data = std::make_shared<ProductData>(tokens, parallel_for);
  const auto run = [=, &parallel_for](auto encode) {
    return [=, &parallel_for] {
      Require(encode(data->args, data->workspace->data(),
                     data->workspace->size(), parallel_for));
    };
  };
  const double flop_per_channel = 2.0 * kDim + 3.0 * 256;
  const int64_t vectors = kHeads * tokens;
  return FastAndPlain(name, vectors * kDim * flop_per_channel,
                      data->rows.bytes() + vectors * (kDim / 4 + 1),
                      run(kernels::EncodeProduct),
                      run(kernels::EncodeProductReference));
}

}  // namespace

std::vector<CaseFactory> CodecCases() {
  const auto decode = [](const std::string& name, CodecDescriptor codec) {
    return CaseFactory{name,
                       [=](ParallelFor&) { return DecodeCase(name, codec); }};
  };
  return {
      {"kmeans/128_tokens_k16",
       [](ParallelFor& parallel_for) {
         return KmeansCase("kmeans/128_tokens_k16", 128, 16, parallel_for);
       }},
      {"kmeans/4096_tokens_k256",
       [](ParallelFor& parallel_for) {
         return KmeansCase("kmeans/4096_tokens_k256", 4096, 256, parallel_for);
       }},
      {"quantize/4096_tokens_int2",
       [](ParallelFor& parallel_for) {
         return QuantizeCase("quantize/4096_tokens_int2", 4096, parallel_for);
       }},
      {"encode_opq/128_tokens",
       [](ParallelFor& parallel_for) {
         return ProductCase("encode_opq/128_tokens", 128, parallel_for);
       }},
      decode("decode/qvg_int2", kernels::Residual(kDim, 2, 64, 1, 256)),
      decode("decode/qvg_pro_int4", kernels::Residual(kDim, 4, 16, 4, 256)),
      decode("decode/bf16", kernels::Rows(Encoding::kBf16, kDim)),
      decode("decode/opq", kernels::Product(kDim)),
  };
}

}  // namespace qvg::bench
