#include "cache/codec/codec.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cache/codec/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"

namespace qvg {
namespace {

using kernels::AlignedBuffer;
using kernels::KvSegment;
using kernels::PackedTensor;
using ::testing::HasSubstr;

// One codec with the sizes and the error that it must have.
struct Case {
  std::string spec;
  int head_dim;
  // Bytes of a tensor of t tokens and h heads.
  int64_t (*bytes)(int64_t t, int64_t h);
  double error;  // relative energy, of normal data
};

void PrintTo(const Case& c, std::ostream* os) {
  *os << c.spec << " " << c.head_dim;
}

// Half of keys and values: of the keys, tokens that fill no group are BF16.
int64_t KiviBytes(int64_t t, int64_t h) {
  const int64_t grouped = t - t % 32;
  const int64_t keys = grouped * h * (16 + 8) + (t - grouped) * h * 128;
  return (keys + t * h * (16 + 8)) / 2;
}

const Case kCases[] = {
    {"bf16", 64, [](int64_t t, int64_t h) { return t * h * 128; }, 1e-5},
    {"bf16:unpacked=f32", 128, [](int64_t t, int64_t h) { return t * h * 512; },
     0},
    {"qvg:centroids=16", 64,
     [](int64_t t, int64_t h) { return t * h * (16 + 1 + 1) + h * 2048; }, 0.5},
    {"qvg:bits=4,centroids=7,block=16", 128,
     [](int64_t t, int64_t h) { return t * h * (64 + 8 + 1) + h * 7 * 256; },
     0.01},
    {"qvg:centroids=2,stages=4,block=32", 256,
     [](int64_t t, int64_t h) { return t * h * (64 + 8 + 4) + h * 8 * 512; },
     0.5},
    {"qvg-minmax:centroids=16,stages=2", 64,
     [](int64_t t, int64_t h) { return t * h * (16 + 2 + 2) + h * 4096; }, 0.2},
    {"qvg-search:centroids=16", 64,
     [](int64_t t, int64_t h) { return t * h * (16 + 1 + 1) + h * 2048; },
     0.25},
    {"qvg-four:centroids=16", 128,
     [](int64_t t, int64_t h) { return t * h * (32 + 2 + 1) + h * 4096; },
     0.25},
    {"qvg-four-search:centroids=16", 64,
     [](int64_t t, int64_t h) { return t * h * (16 + 1 + 1) + h * 2048; },
     0.15},
    {"qvg-base3:centroids=16", 64,
     [](int64_t t, int64_t h) { return t * h * (13 + 1 + 1) + h * 2048; }, 0.5},
    {"qvg-search-base3:centroids=16,block=32", 256,
     [](int64_t t, int64_t h) { return t * h * (52 + 8 + 1) + h * 8192; },
     0.25},
    {"kivi", 64, KiviBytes, 0.2},
    {"kivi:bits=4,block=64", 128,
     [](int64_t t, int64_t h) {
       const int64_t grouped = t - t % 64;
       const int64_t keys = grouped * h * (64 + 8) + (t - grouped) * h * 256;
       return (keys + t * h * (64 + 8)) / 2;
     },
     0.02},
    {"quarot", 64, [](int64_t t, int64_t h) { return t * h * (16 + 4); }, 0.25},
    {"quarot:bits=4", 256,
     [](int64_t t, int64_t h) { return t * h * (128 + 4); }, 0.02},
    {"rtn", 64, [](int64_t t, int64_t h) { return t * h * (16 + 4); }, 0.4},
    {"rtn:bits=4,block=64", 128,
     [](int64_t t, int64_t h) { return t * h * (64 + 2); }, 0.02},
    {"opq", 64, [](int64_t t, int64_t h) { return t * h * 17; }, 0.3},
    {"opq", 128, [](int64_t t, int64_t h) { return t * h * 33; }, 0.3},
};

constexpr int kLayers = 2;
constexpr int kHeads = 3;
constexpr int64_t kTokens = 101;

struct Span {
  SpanShape shape;
  absl::Span<uint8_t> bytes;  // of the place of the test
};

class CodecTest
    : public testing::TestWithParam<std::tuple<Case, kernels::MemoryKind>> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(std::get<1>(GetParam()));
    place_.emplace(std::get<1>(GetParam()));
    KvLayout layout;
    layout.heads = kHeads;
    layout.head_dim = param().head_dim;
    layout.tokens_per_chunk = static_cast<int>(kTokens);
    layout.window_chunks = {0, 0};
    if (param().spec == "opq") {
      tables_ = RandomOpqTables(kLayers, kHeads, param().head_dim, 9);
      if (place_->on_device()) {
        tables_ = *tables_->OnDevice(place_->space().stream);
      }
    }
    const CacheSpec spec =
        *ResolveCacheSpec(*ParseCacheSpec(param().spec), layout, tables_.get());
    codec_ = *MakeCodec(spec, layout, tables_.get());
    for (int i = 0; i < 2 * kLayers; ++i) {
      sources_.emplace_back(
          kernels::Rows(kernels::Encoding::kF32, param().head_dim), kHeads,
          kTokens, 20 + i, nullptr, kernels::Layout::kStrided);
    }
  }

  static const Case& param() { return std::get<0>(GetParam()); }

  std::vector<KvSegment> Layers() const {
    std::vector<KvSegment> layers;
    for (int i = 0; i < kLayers; ++i) {
      layers.push_back({sources_[2 * i].view(), sources_[2 * i + 1].view()});
    }
    return layers;
  }

  SpanShape Shape() const {
    return {kLayers, kHeads, param().head_dim, kTokens};
  }

  absl::Status Encode(const Span& span, const std::vector<KvSegment>& layers,
                      uint64_t seed, int threads) {
    kernels::ThreadPool pool(threads);
    const kernels::Executor executor =
        place_->on_device() ? place_->executor() : pool;
    return codec_->Encode(
        span.shape, place_->Here(layers), seed, span.bytes,
        place_->Allocate(codec_->WorkspaceBytes(span.shape, executor)),
        executor);
  }

  Span NewSpan(const SpanShape& shape) {
    return {shape, place_->Allocate(codec_->SpanBytes(shape))};
  }

  Span Encoded(uint64_t seed = 1, int threads = 1) {
    const Span span = NewSpan(Shape());
    const absl::Status status = Encode(span, Layers(), seed, threads);
    EXPECT_TRUE(status.ok()) << status;
    return span;
  }

  std::vector<uint8_t> Copy(const Span& span) {
    return place_->Fetch(span.bytes);
  }

  // [T,H,D]
  std::vector<float> Decode(const PackedTensor& tensor) {
    EXPECT_TRUE(kernels::Check(tensor).ok());
    return tensor.codec.encoding == kernels::Encoding::kF32
               ? place_->Stored(tensor)
               : place_->Decode(tensor);
  }

  std::optional<Place> place_;
  std::unique_ptr<OpqTables> tables_;
  std::unique_ptr<Codec> codec_;
  std::vector<kernels::RandomTensor> sources_;
};

INSTANTIATE_TEST_SUITE_P(All, CodecTest,
                         testing::Combine(testing::ValuesIn(kCases),
                                          AllPlaces()));

TEST_P(CodecTest, BytesAreExact) {
  SpanShape one = {1, 1, param().head_dim, 1};
  EXPECT_EQ(codec_->SpanBytes(one), 2 * param().bytes(1, 1));
  one.layers = 0;
  EXPECT_EQ(codec_->SpanBytes(one), 0);
  // What is between two layers aligns the second.
  const int64_t layer = 2 * param().bytes(kTokens, kHeads);
  EXPECT_GE(codec_->SpanBytes(Shape()), kLayers * layer);
  EXPECT_LT(codec_->SpanBytes(Shape()), kLayers * layer + 16);
}

// What a device loads at once is aligned in every layer.
TEST_P(CodecTest, LayersAreAligned) {
  const Span span = NewSpan(Shape());
  for (int i = 0; i < 2 * kLayers; ++i) {
    const KvSegment view = codec_->View(span.shape, i / 2, span.bytes);
    const PackedTensor& tensor = i % 2 == 0 ? view.keys : view.values;
    const auto address = [](const void* p) {
      return reinterpret_cast<uintptr_t>(p);
    };
    EXPECT_EQ(address(tensor.values) % 2, 0);
    EXPECT_EQ(address(tensor.centroids) % 16, 0);
    if (tensor.codec.encoding != kernels::Encoding::kProduct &&
        !tensor.codec.trits) {
      EXPECT_EQ(address(tensor.codes) % 4, 0);
    }
  }
}

TEST_P(CodecTest, EveryTensorComesBack) {
  const Span span = Encoded();
  for (int i = 0; i < 2 * kLayers; ++i) {
    const KvSegment view = codec_->View(span.shape, i / 2, span.bytes);
    const PackedTensor& tensor = i % 2 == 0 ? view.keys : view.values;
    ASSERT_EQ(tensor.tokens, kTokens);
    ASSERT_EQ(tensor.heads, kHeads);
    double error = 0, energy = 0;
    const std::vector<float> decoded = Decode(tensor);
    for (int64_t j = 0; j < static_cast<int64_t>(decoded.size()); ++j) {
      const int dim = param().head_dim;
      const double value =
          sources_[i].at(j / dim / kHeads, static_cast<int>(j / dim % kHeads),
                         static_cast<int>(j % dim));
      error += std::pow(decoded[j] - value, 2);
      energy += std::pow(value, 2);
    }
    EXPECT_LE(error / energy, param().error) << "tensor " << i;
  }
}

TEST_P(CodecTest, BitsDoNotDependOnThreads) {
  EXPECT_EQ(Copy(Encoded(5, 1)), Copy(Encoded(5, 3)));
}

// Only what draws its centroids depends on the seed.
TEST_P(CodecTest, TheSeedDrivesEveryChoice) {
  const bool draws = param().spec.find("qvg") == 0;
  EXPECT_EQ(Copy(Encoded(5)) == Copy(Encoded(6)), !draws);
}

TEST_P(CodecTest, ExtremeNumbersDecodeToNumbers) {
  for (const float extreme : {3e38f, 1e30f, 1e-40f, 0.0f, 1e4f}) {
    for (int d = 0; d < param().head_dim; ++d) {
      sources_[0].at(5, 0, d) = d % 2 == 0 ? extreme : -extreme;
      sources_[0].at(6, 0, d) = extreme;
    }
    const Span span = Encoded();
    const KvSegment view = codec_->View(span.shape, 0, span.bytes);
    for (const float value : Decode(view.keys)) {
      ASSERT_TRUE(std::isfinite(value)) << extreme;
    }
  }
}

TEST_P(CodecTest, OneTokenIsASpan) {
  const SpanShape shape = {kLayers, kHeads, param().head_dim, 1};
  std::vector<KvSegment> layers = Layers();
  for (KvSegment& layer : layers) layer.keys.tokens = layer.values.tokens = 1;
  const Span span = NewSpan(shape);
  const absl::Status status = Encode(span, layers, 1, 1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Decode(codec_->View(shape, 1, span.bytes).values).size(),
            kHeads * param().head_dim);
}

TEST_P(CodecTest, RefusesOtherShapes) {
  const Span span = NewSpan(Shape());
  std::vector<KvSegment> layers = Layers();
  layers.pop_back();
  EXPECT_THAT(std::string(Encode(span, layers, 1, 1).message()),
              HasSubstr("layers: 1"));
  layers = Layers();
  layers[1].keys.tokens = kTokens - 1;
  EXPECT_THAT(std::string(Encode(span, layers, 1, 1).message()),
              HasSubstr("layers[1].keys: 100 tokens"));
  layers = Layers();
  layers[0].values.values = nullptr;
  EXPECT_THAT(std::string(Encode(span, layers, 1, 1).message()),
              HasSubstr("layers[0].values: values: null"));
  layers = Layers();
  layers[0].values = codec_->View(Shape(), 0, Encoded().bytes).values;
  if (layers[0].values.values == nullptr) {
    EXPECT_THAT(std::string(Encode(span, layers, 1, 1).message()),
                HasSubstr("must be unpacked"));
  }
}

TEST_P(CodecTest, RefusesTooLittleMemory) {
  Span span = NewSpan(Shape());
  const size_t needed = codec_->WorkspaceBytes(Shape(), place_->executor());
  const absl::Span<uint8_t> workspace = place_->Allocate(needed);
  const std::vector<KvSegment> layers = place_->Here(Layers());
  const auto message = [&](absl::Span<uint8_t> out, size_t scratch) {
    return std::string(codec_
                           ->Encode(Shape(), layers, 1, out,
                                    workspace.first(scratch),
                                    place_->executor())
                           .message());
  };
  EXPECT_EQ(message(span.bytes, needed), "");
  EXPECT_THAT(message(span.bytes.subspan(1), needed), HasSubstr("out"));
  if (needed > 0) {
    EXPECT_THAT(message(span.bytes, needed - 1), HasSubstr("workspace"));
  }
}

// Encode writes every byte: nothing of what was there before is left.
TEST_P(CodecTest, SpansDoNotDependOnWhatMemoryHeld) {
  const Span span = NewSpan(Shape());
  place_->Fill(span.bytes, 0x5a);
  ASSERT_TRUE(Encode(span, Layers(), 1, 1).ok());
  EXPECT_EQ(Copy(span), Copy(Encoded()));
}

std::unique_ptr<Codec> Make(absl::string_view text) {
  KvLayout layout;
  layout.heads = 1;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 256;
  layout.window_chunks = {0};
  const CacheSpec spec =
      *ResolveCacheSpec(*ParseCacheSpec(text), layout, nullptr);
  return *MakeCodec(spec, layout, nullptr);
}

// One layer of 256 tokens through `spec`; the view lives as long as `memory`.
KvSegment Through(absl::string_view spec, const PackedTensor& source,
                  std::shared_ptr<AlignedBuffer>* memory) {
  const std::unique_ptr<Codec> codec = Make(spec);
  const SpanShape shape = {1, 1, 64, 256};
  kernels::SerialFor serial;
  AlignedBuffer workspace(codec->WorkspaceBytes(shape, serial));
  *memory = std::make_shared<AlignedBuffer>(codec->SpanBytes(shape));
  const KvSegment layer = {source, source};
  const absl::Status status = codec->Encode(
      shape, {&layer, 1}, 7,
      {static_cast<uint8_t*>((*memory)->data()), (*memory)->size()},
      {static_cast<uint8_t*>(workspace.data()), workspace.size()}, serial);
  EXPECT_TRUE(status.ok()) << status;
  return codec->View(
      shape, 0, {static_cast<uint8_t*>((*memory)->data()), (*memory)->size()});
}

TEST(Qvg, BothWidthsShareCentroidsAndIds) {
  kernels::RandomTensor source(kernels::Rows(kernels::Encoding::kF32, 64), 1,
                               256, 4);
  std::shared_ptr<AlignedBuffer> memory2, memory4;
  const KvSegment two =
      Through("qvg:bits=2,centroids=8", source.view(), &memory2);
  const KvSegment four =
      Through("qvg:bits=4,centroids=8", source.view(), &memory4);
  EXPECT_TRUE(std::equal(two.keys.centroids, two.keys.centroids + 8 * 64,
                         four.keys.centroids));
  EXPECT_TRUE(std::equal(two.keys.ids, two.keys.ids + 256, four.keys.ids));
}

TEST(Qvg, KeysAndValuesAndStagesDrawApart) {
  kernels::RandomTensor source(kernels::Rows(kernels::Encoding::kF32, 64), 1,
                               256, 4);
  std::shared_ptr<AlignedBuffer> memory;
  const KvSegment view =
      Through("qvg:centroids=8,stages=2", source.view(), &memory);
  EXPECT_FALSE(std::equal(view.keys.centroids, view.keys.centroids + 8 * 64,
                          view.values.centroids));
  EXPECT_FALSE(
      std::equal(view.keys.ids, view.keys.ids + 256, view.keys.ids + 256));
}

TEST(Qvg, MoreStagesErrLess) {
  kernels::RandomTensor source(kernels::Rows(kernels::Encoding::kF32, 64), 1,
                               256, 4);
  double previous = 1e30;
  for (const char* spec :
       {"qvg:centroids=64,stages=1", "qvg:centroids=64,stages=2",
        "qvg:centroids=64,stages=4"}) {
    std::shared_ptr<AlignedBuffer> memory;
    const KvSegment view = Through(spec, source.view(), &memory);
    std::vector<float> decoded(256 * 64);
    kernels::DecodeTile(view.keys, 0, 0, 256, decoded.data());
    double error = 0;
    for (int i = 0; i < 256 * 64; ++i) {
      error += std::pow(decoded[i] - source.at(i / 64, 0, i % 64), 2);
    }
    EXPECT_LT(error, previous * 0.9);
    previous = error;
  }
}

}  // namespace
}  // namespace qvg
