#include "cache/codec/opq_tables.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "cache/codec/opq_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/numeric.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

TEST(OpqTables, KeepsEveryTableRoundedToBFloat16) {
  const std::vector<OpqLayer> layers = RandomOpqLayers(2, 3, 64, 5);
  const auto tables = *OpqTables::Create(3, 64, layers);
  EXPECT_EQ(tables->layers(), 2);
  EXPECT_EQ(tables->heads(), 3);
  EXPECT_EQ(tables->head_dim(), 64);
  EXPECT_EQ(tables->parts(), 16);
  for (int layer = 0; layer < 2; ++layer) {
    for (const int tensor : {0, 1}) {
      const OpqTensor& source =
          tensor == 0 ? layers[layer].keys : layers[layer].values;
      const kernels::ProductTables view = tables->View(layer, tensor);
      for (size_t i = 0; i < source.rotation.size(); ++i) {
        ASSERT_EQ(view.rotation[i],
                  kernels::RoundToBFloat16(source.rotation[i]));
      }
      for (size_t i = 0; i < source.mean.size(); ++i) {
        ASSERT_EQ(view.mean[i], kernels::RoundToBFloat16(source.mean[i]));
      }
      for (size_t i = 0; i < source.codebook.size(); ++i) {
        ASSERT_EQ(view.codebook[i],
                  kernels::RoundToBFloat16(source.codebook[i]));
      }
    }
  }
}

TEST(OpqTables, RefusesWithTheTablesName) {
  const auto error = [](auto change, int heads = 2, int head_dim = 64) {
    std::vector<OpqLayer> layers = RandomOpqLayers(2, 2, 64, 5);
    change(layers);
    const auto tables = OpqTables::Create(heads, head_dim, std::move(layers));
    return tables.ok() ? "" : std::string(tables.status().message());
  };
  const auto nothing = [](auto&) {};
  EXPECT_EQ(error(nothing), "");
  EXPECT_THAT(error(nothing, 3), HasSubstr("layers[0].keys.rotation: 8192"));
  EXPECT_THAT(error(nothing, 0), HasSubstr("heads"));
  EXPECT_THAT(error(nothing, 2, 96), HasSubstr("head_dim: 96"));
  EXPECT_THAT(error([](auto& l) { l[1].values.mean.pop_back(); }),
              HasSubstr("layers[1].values.mean: 127 values; must be 128"));
  EXPECT_THAT(error([](auto& l) { l[0].values.codebook.push_back(0); }),
              HasSubstr("layers[0].values.codebook"));
  EXPECT_THAT(error([](auto& l) { l[0].keys.codebook[7] = NAN; }),
              HasSubstr("layers[0].keys.codebook: NaN"));
  EXPECT_THAT(error([](auto& l) { l[1].keys.mean[7] = INFINITY; }),
              HasSubstr("layers[1].keys.mean"));
  EXPECT_THAT(error([](auto& l) {
                for (int i = 0; i < 64; ++i) {
                  l[1].keys.rotation[64 * 64 + i] = 1;
                }
              }),
              HasSubstr("layers[1].keys.rotation: that of head 1 is not"));
}

TEST(DeviceOpqTablesTest, HoldsTheSameNumbers) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  const Place place(kernels::MemoryKind::kDevice);
  const auto host = RandomOpqTables(2, 3, 64, 5);
  const auto device = *host->OnDevice(place.space().stream);
  EXPECT_EQ(host->memory(), kernels::MemoryKind::kHost);
  EXPECT_EQ(device->memory(), kernels::MemoryKind::kDevice);
  EXPECT_EQ(device->layers(), 2);
  for (int i = 0; i < 4; ++i) {
    const kernels::ProductTables here = host->View(i / 2, i % 2);
    const kernels::ProductTables there = device->View(i / 2, i % 2);
    const auto expect_same = [&](const float* a, const float* b, size_t size) {
      const std::vector<uint8_t> bytes = place.Fetch(
          {reinterpret_cast<const uint8_t*>(b), size * sizeof(float)});
      EXPECT_EQ(std::memcmp(a, bytes.data(), bytes.size()), 0);
    };
    expect_same(here.rotation, there.rotation, 3 * 64 * 64);
    expect_same(here.mean, there.mean, 3 * 64);
    expect_same(here.codebook, there.codebook, 3 * 64 * 256);
  }
}

TEST(DeviceOpqTablesTest, CodecsRunWhereTheirTablesAre) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  Place place(kernels::MemoryKind::kDevice);
  const auto host = RandomOpqTables(1, 1, 64, 5);
  EXPECT_EQ(MakeOpqCodec(host.get())
                ->Encode({1, 1, 64, 0}, {}, 1, {}, {}, place.executor())
                .code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace qvg
