#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/encode.h"
#include "kernels/quantize.h"
#include "kernels/rows.h"
#include "tests/bench/cases.h"
#include "tests/bench/device_memory.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::bench {
namespace {

using kernels::CodecDescriptor;
using kernels::CudaStream;
using kernels::EncodeArgs;
using kernels::EncodeTensor;
using kernels::Encoding;
using kernels::Error;
using kernels::PackedTensor;
using kernels::Points;

// K and V of one layer, or of all layers of a chunk.
struct Shape {
  std::string name;
  int tensors;
  int heads;
  int64_t tokens;
  int dim;

  int64_t values() const { return int64_t{heads} * tokens * dim; }
};

// The benchmark of the published implementation, and one chunk of
// Self-Forcing: 30 layers.
const Shape kLongCat = {"2x32x29640x128", 2, 32, 29640, 128};
const Shape kChunk = {"60x12x4680x128", 60, 12, 4680, 128};
constexpr int kCentroids = 256;
constexpr int kSets = 2;

void Require(const Error& error) { RequireCuda(error.ok(), error.message); }

// A packed tensor of random content in device memory.
PackedTensor RandomPacked(const CodecDescriptor& codec, const Shape& shape,
                          uint64_t seed, DeviceMemory* memory) {
  PackedTensor t;
  t.codec = codec;
  t.heads = shape.heads;
  t.tokens = shape.tokens;
  if (codec.encoding == Encoding::kBf16) {
    t.values = memory->Normal(shape.values(), seed);
    t.token_stride = shape.dim;
    t.head_stride = shape.tokens * shape.dim;
    return t;
  }
  const int64_t rows = shape.heads * shape.tokens;
  const int64_t books = int64_t{codec.stages} * shape.heads * codec.centroids;
  t.codes = memory->Uniform(shape.values() * codec.bits / 8, 0, 256, seed);
  t.scales = memory->Uniform(shape.values() / codec.block, 0x20, 24, seed + 1);
  t.ids = memory->Uniform(rows * codec.stages, 0, kCentroids, seed + 2);
  t.centroids = memory->Normal(books * shape.dim, seed + 3);
  return t;
}

int64_t StoredBytes(const CodecDescriptor& codec, const Shape& shape) {
  if (codec.encoding == Encoding::kBf16) return shape.values() * 2;
  return shape.values() * codec.bits / 8 + shape.values() / codec.block +
         codec.stages * shape.heads *
             (shape.tokens + int64_t{codec.centroids} * shape.dim * 2);
}

// All tensors of the shape, one call each.
Arm DecodeArm(const std::string& name, const CodecDescriptor& codec,
              const Shape& shape) {
  auto memory = std::make_shared<DeviceMemory>();
  std::vector<PackedTensor> tensors;
  for (int i = 0; i < shape.tensors; ++i) {
    tensors.push_back(RandomPacked(codec, shape, 10 * i, memory.get()));
  }
  auto* out = static_cast<uint16_t*>(
      memory->Scratch(shape.tensors * shape.values() * sizeof(uint16_t)));
  const int64_t bytes =
      shape.tensors * (StoredBytes(codec, shape) + shape.values() * 2);
  return DeviceArm(name, bytes, 1, [=](int, CudaStream stream) {
    static_cast<void>(memory);
    for (size_t i = 0; i < tensors.size(); ++i) {
      Require(kernels::DecodeRowsCuda(tensors[i], 0, shape.tokens,
                                      out + i * shape.values(), stream));
    }
  });
}

Case DecodeCase(const Shape& shape) {
  const int dim = shape.dim;
  Case timed;
  timed.name = "decode_rows/" + shape.name;
  timed.arms = {DecodeArm("qvg_int2",
                          kernels::Residual(dim, 2, 64, 1, kCentroids), shape),
                DecodeArm("qvg_int4",
                          kernels::Residual(dim, 4, 64, 1, kCentroids), shape),
                DecodeArm("qvg_pro_int2",
                          kernels::Residual(dim, 2, 16, 4, kCentroids), shape),
                DecodeArm("bf16", kernels::Rows(Encoding::kBf16, dim), shape)};
  return timed;
}

// Everything that EncodeCuda reads and writes.
struct EncodeData {
  EncodeData(const Shape& shape, int fit_rounds, int fit_stride) {
    args.count = shape.tensors;
    args.heads = shape.heads;
    args.tokens = shape.tokens;
    args.dim = shape.dim;
    args.stages = 1;
    args.clusters = kCentroids;
    args.bits = 2;
    args.block = 64;
    args.fit_rounds = fit_rounds;
    args.fit_stride = fit_stride;
    for (int i = 0; i < kSets * shape.tensors; ++i) AddTensor(shape, i);
    workspace_bytes = kernels::EncodeCudaWorkspaceBytes(args);
    workspace = memory.Scratch(workspace_bytes);
  }

  void AddTensor(const Shape& shape, int i) {
    const int64_t rows = shape.heads * shape.tokens;
    EncodeTensor tensor;
    tensor.rows = memory.Normal(shape.values(), 10 * i);
    tensor.token_stride = shape.dim;
    tensor.head_stride = shape.tokens * shape.dim;
    tensor.centroids = memory.Normal(
        int64_t{shape.heads} * kCentroids * shape.dim, 10 * i + 1);
    tensor.ids = static_cast<uint8_t*>(memory.Scratch(rows));
    tensor.codes = static_cast<uint8_t*>(memory.Scratch(shape.values() / 4));
    tensor.scales = static_cast<uint8_t*>(memory.Scratch(shape.values() / 64));
    tensor.seed = i;
    tensors.push_back(tensor);
  }

  void Run(int set, CudaStream stream) {
    args.tensors = tensors.data() + set * args.count;
    Require(kernels::EncodeCuda(args, workspace, workspace_bytes, stream));
  }

  DeviceMemory memory;
  std::vector<EncodeTensor> tensors;
  EncodeArgs args;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
};

Case EncodeCase(const Shape& shape, int fit_rounds, int fit_stride) {
  auto data = std::make_shared<EncodeData>(shape, fit_rounds, fit_stride);
  const int64_t values = shape.tensors * shape.values();
  const int64_t rows = values / shape.dim;
  const int64_t books =
      int64_t{shape.tensors} * shape.heads * kCentroids * shape.dim * 2;
  const int64_t bytes = values * 2 + values / 4 + values / 64 + rows + books;
  Case timed;
  timed.name = "encode/" + shape.name;
  double passes = 1;
  for (int round = 0; round < fit_rounds; ++round) {
    passes += fit_stride == 1 ? 1 : 1.0 / (fit_stride << round);
  }
  timed.flop = 2.0 * values * kCentroids * passes;
  timed.arms = {DeviceArm(
      fit_rounds == 0 ? "given"
                      : "fit_" + std::to_string(fit_rounds) + "_of_" +
                            std::to_string(fit_stride),
      bytes, kSets,
      [data](int set, CudaStream stream) { data->Run(set, stream); })};
  return timed;
}

Case QuantizeCase(const Shape& shape) {
  auto memory = std::make_shared<DeviceMemory>();
  kernels::QuantizeArgs args;
  args.points = {memory->Normal(shape.values(), 1), shape.heads, shape.tokens,
                 shape.dim};
  args.bits = 2;
  args.block = 64;
  args.codes = static_cast<uint8_t*>(memory->Scratch(shape.values() / 4));
  args.scales = static_cast<uint8_t*>(memory->Scratch(shape.values() / 64));
  Case timed;
  timed.name = "quantize/" + shape.name;
  timed.arms = {DeviceArm(
      "int2", shape.values() * 2 + shape.values() / 4 + shape.values() / 64, 1,
      [=](int, CudaStream stream) {
        static_cast<void>(memory);
        Require(kernels::QuantizeCuda(args, stream));
      })};
  return timed;
}

template <typename Make>
CaseFactory Factory(const std::string& name, const Make& make) {
  return {name, [make](kernels::ParallelFor&) { return make(); }};
}

}  // namespace

std::vector<CaseFactory> DeviceCases() {
  return {
      Factory("decode_rows/" + kLongCat.name,
              [] { return DecodeCase(kLongCat); }),
      Factory("decode_rows/" + kChunk.name, [] { return DecodeCase(kChunk); }),
      Factory("quantize/" + kLongCat.name,
              [] { return QuantizeCase(kLongCat); }),
      Factory("encode/" + kLongCat.name + "/given",
              [] { return EncodeCase(kLongCat, 0, 1); }),
      Factory("encode/" + kLongCat.name + "/fit_3_of_4",
              [] { return EncodeCase(kLongCat, 3, 4); }),
      Factory("encode/" + kLongCat.name + "/fit_2_of_1",
              [] { return EncodeCase(kLongCat, 2, 1); }),
      Factory("encode/" + kChunk.name + "/given",
              [] { return EncodeCase(kChunk, 0, 1); }),
      Factory("encode/" + kChunk.name + "/fit_2_of_1",
              [] { return EncodeCase(kChunk, 2, 1); })};
}

std::vector<CaseFactory> CeilingCases() {
  return {Factory("ceiling/copy",
                  [] {
                    return Case{"ceiling", 0, {CopyCeiling()}};
                  }),
          Factory("ceiling/matrix", [] {
            Case timed{"ceiling", 0, {}};
            timed.arms = {MatrixCeiling(&timed.flop)};
            return timed;
          })};
}

}  // namespace qvg::bench
