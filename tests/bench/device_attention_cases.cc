#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "kernels/device_memory.h"
#include "tests/bench/cases.h"
#include "tests/bench/device_memory.h"
#include "tests/bench/torch_attention.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::bench {
namespace {

using kernels::AttentionArgs;
using kernels::CodecDescriptor;
using kernels::CudaStream;
using kernels::Encoding;
using kernels::KvSegment;
using kernels::PackedTensor;
using kernels::RotaryTables;

constexpr int kCentroids = 256;
// Latent frames of Wan at 480p.
constexpr int kRows = 30;
constexpr int kColumns = 52;
constexpr int kFrames = 32;

struct Shape {
  std::string name;
  AttentionShape attention;
  int64_t span;  // tokens
  int sessions;  // problems in one call
};

// A chunk of Self-Forcing and one of LongCat-Video against their windows, and
// chunks of TinyWorld at frame 304, alone and 64 at once.
const Shape kShapes[] = {{"4680x32760x12x128", {12, 128, 4680, 32760}, 4680, 1},
                         {"7800x37440x32x128", {32, 128, 7800, 37440}, 7488, 1},
                         {"3520x28160x24x256", {24, 256, 3520, 28160}, 7040, 1},
                         {"128x9728x4x64", {4, 64, 128, 9728}, 128, 1},
                         {"64x128x9728x4x64", {4, 64, 128, 9728}, 128, 64}};

void Require(const kernels::Error& error) {
  RequireCuda(error.ok(), error.message);
}

// Everything that a call of AttentionCuda reads and writes.
class Data {
 public:
  Data(const Shape& shape, const CodecDescriptor& codec, bool rotary)
      : shape_(shape.attention) {
    for (int64_t first = 0; first < shape_.keys; first += shape.span) {
      segments_.push_back(
          {Tensor(codec, shape.span), Tensor(codec, shape.span), first});
    }
    const auto* on_device = Upload(segments_.data(), segments_.size());
    for (int i = 0; i < shape.sessions; ++i) {
      problems_.push_back(Problem(on_device, rotary, i));
    }
    bytes_ =
        kernels::AttentionCudaWorkspaceBytes(problems_.data(), shape.sessions);
    workspace_ = memory_.Scratch(bytes_);
  }

  int64_t stored_bytes() const { return stored_bytes_; }

  void Run(CudaStream stream) const {
    Require(kernels::AttentionCuda(problems_.data(),
                                   static_cast<int>(problems_.size()),
                                   workspace_, bytes_, stream));
  }

 private:
  template <typename T>
  const T* Upload(const T* host, size_t count) {
    void* device = memory_.Scratch(count * sizeof(T));
    Require(kernels::CopyToDevice(host, count * sizeof(T), device, nullptr));
    Require(kernels::Synchronize(nullptr));
    return static_cast<const T*>(device);
  }

  PackedTensor Tensor(const CodecDescriptor& codec, int64_t tokens) {
    const int64_t rows = tokens * shape_.heads;
    const int64_t values = rows * shape_.head_dim;
    const uint64_t seed = seed_ += 10;
    PackedTensor t;
    t.codec = codec;
    t.heads = shape_.heads;
    t.tokens = tokens;
    if (codec.encoding == Encoding::kBf16) {
      t.values = memory_.Normal(values, seed);
      t.token_stride = int64_t{shape_.heads} * shape_.head_dim;
      t.head_stride = shape_.head_dim;
      stored_bytes_ += values * 2;
      return t;
    }
    const int64_t book = int64_t{shape_.heads} * kCentroids * shape_.head_dim;
    t.codes = memory_.Uniform(values / 4, 0, 256, seed);
    t.scales = memory_.Uniform(values / 64, 0x20, 24, seed + 1);
    t.ids = memory_.Uniform(rows, 0, kCentroids, seed + 2);
    t.centroids = memory_.Normal(book, seed + 3);
    stored_bytes_ += values / 4 + values / 64 + rows + book * 2;
    return t;
  }

  RotaryTables Rotary() {
    RotaryTables rotary;
    const int sixth = shape_.head_dim / 6;
    const int pairs[3] = {shape_.head_dim / 2 - 2 * sixth, sixth, sixth};
    const int counts[3] = {kFrames, kRows, kColumns};
    for (int axis = 0; axis < 3; ++axis) {
      std::vector<float> turns(2 * counts[axis] * pairs[axis]);
      kernels::FillTurns(0, counts[axis], pairs[axis], 10000, turns.data());
      rotary.turns[axis] = Upload(turns.data(), turns.size());
      rotary.pairs[axis] = pairs[axis];
    }
    rotary.frames = kFrames;
    rotary.rows = kRows;
    rotary.columns = kColumns;
    return rotary;
  }

  AttentionArgs Problem(const KvSegment* segments, bool rotary, uint64_t seed) {
    const int64_t row = int64_t{shape_.heads} * shape_.head_dim;
    const std::vector<float> q =
        kernels::RandomNormal(shape_.queries * row, 1, seed);
    AttentionArgs args;
    args.heads = shape_.heads;
    args.head_dim = shape_.head_dim;
    args.queries = shape_.queries;
    args.scale = 1 / std::sqrt(static_cast<float>(shape_.head_dim));
    args.q = Upload(q.data(), q.size());
    args.q_token_stride = args.out_token_stride = row;
    args.q_head_stride = args.out_head_stride = shape_.head_dim;
    args.segments = segments;
    args.num_segments = static_cast<int>(segments_.size());
    if (rotary) args.rotary = Rotary();
    args.out = static_cast<float*>(memory_.Scratch(q.size() * sizeof(float)));
    return args;
  }

  AttentionShape shape_;
  DeviceMemory memory_;
  uint64_t seed_ = 0;
  int64_t stored_bytes_ = 0;
  std::vector<KvSegment> segments_;
  std::vector<AttentionArgs> problems_;
  size_t bytes_ = 0;
  void* workspace_ = nullptr;
};

Arm OurArm(const std::string& name, const Shape& shape,
           const CodecDescriptor& codec, bool rotary) {
  auto data = std::make_shared<Data>(shape, codec, rotary);
  return DeviceArm(name, data->stored_bytes(), 1,
                   [data](int, CudaStream stream) { data->Run(stream); });
}

Case MakeCase(const Shape& shape) {
  const AttentionShape& s = shape.attention;
  const CodecDescriptor qvg =
      kernels::Residual(s.head_dim, 2, 64, 1, kCentroids);
  Case timed;
  timed.name = "attention/" + shape.name;
  timed.flop = 4.0 * shape.sessions * s.heads * s.queries * s.keys * s.head_dim;
  timed.arms = {
      OurArm("qvg_int2", shape, qvg, false),
      OurArm("bf16", shape, kernels::Rows(Encoding::kBf16, s.head_dim), false)};
  if (s.keys <= kFrames * kRows * kColumns && s.head_dim == 128) {
    timed.arms.push_back(OurArm("qvg_int2_rotary", shape, qvg, true));
  }
  for (Arm& arm : TorchDeviceAttentionArms(s, shape.sessions)) {
    timed.arms.push_back(std::move(arm));
  }
  return timed;
}

}  // namespace

std::vector<CaseFactory> DeviceAttentionCases() {
  std::vector<CaseFactory> cases;
  for (const Shape& shape : kShapes) {
    cases.push_back({"attention/" + shape.name, [shape](kernels::ParallelFor&) {
                       return MakeCase(shape);
                     }});
  }
  return cases;
}

}  // namespace qvg::bench
