#include "kernels/product.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

using Function = Error (*)(const ProductArgs& args, void* workspace,
                           size_t workspace_bytes, ParallelFor& parallel_for);

struct Encoded {
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  PackedTensor view;
};

Encoded EncodeWith(Function function, const PackedTensor& rows, int parts,
                   const ProductTables& tables, int threads = 1) {
  Encoded out;
  const int64_t vectors = rows.tokens * rows.heads;
  out.codes.resize(vectors * parts);
  out.scales.resize(vectors);
  ProductArgs args;
  args.rows = rows;
  args.parts = parts;
  args.tables = tables;
  args.codes = out.codes.data();
  args.scales = out.scales.data();
  ThreadPool pool(threads);
  AlignedBuffer workspace(ProductWorkspaceBytes(args, pool));
  const Error error = function(args, workspace.data(), workspace.size(), pool);
  EXPECT_TRUE(error.ok()) << error.message;
  out.view.codec.encoding = Encoding::kProduct;
  out.view.codec.head_dim = rows.codec.head_dim;
  out.view.codec.parts = parts;
  out.view.heads = rows.heads;
  out.view.tokens = rows.tokens;
  out.view.codes = out.codes.data();
  out.view.scales = out.scales.data();
  out.view.tables = tables;
  return out;
}

std::vector<float> Decode(const PackedTensor& tensor, int head) {
  std::vector<float> out(tensor.tokens * tensor.codec.head_dim);
  DecodeTileReference(tensor, head, 0, tensor.tokens, out.data());
  return out;
}

// r = rotation^T (x - mean) in float64.
std::vector<double> Rotated(const ProductTables& tables, int dim, int head,
                            const float* x) {
  std::vector<double> out(dim, 0);
  for (int i = 0; i < dim; ++i) {
    const double centred = double{x[i]} - tables.mean[head * dim + i];
    for (int j = 0; j < dim; ++j) {
      out[j] += tables.rotation[(head * dim + i) * dim + j] * centred;
    }
  }
  return out;
}

class ProductTest : public VersionTest<Function> {};

INSTANTIATE_TEST_SUITE_P(Versions, ProductTest,
                         ::testing::Values(&EncodeProductReference,
                                           &EncodeProduct));
#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, ProductTest,
                         ::testing::Values(&EncodeProductOnDevice));
#endif

// Every code is the nearest entry to the normalized part, up to rounding.
TEST_P(ProductTest, CodesAreTheNearestEntries) {
  for (const int width : {2, 4, 8, 16}) {
    const int dim = 64, heads = 2, parts = dim / width;
    const RandomTables tables(Product(dim, width), heads, 3);
    RandomTensor rows(Rows(Encoding::kF32, dim), heads, 37, 4, nullptr,
                      Layout::kStrided);
    const Encoded out =
        EncodeWith(GetParam(), rows.view(), parts, tables.view());
    for (int row = 0; row < 37 * heads; ++row) {
      const int head = row % heads;
      const std::vector<double> r =
          Rotated(tables.view(), dim, head, &rows.at(row / heads, head, 0));
      double norm = 0;
      for (const double value : r) norm += value * value;
      const double factor = std::sqrt(dim / norm);
      for (int p = 0; p < parts; ++p) {
        const float* entries =
            tables.view().codebook + (head * parts + p) * 256 * width;
        const auto distance = [&](int k) {
          double sum = 0;
          for (int w = 0; w < width; ++w) {
            const double difference =
                r[p * width + w] * factor - entries[k * width + w];
            sum += difference * difference;
          }
          return sum;
        };
        double best = 1e30;
        for (int k = 0; k < 256; ++k) best = std::min(best, distance(k));
        EXPECT_LE(distance(out.codes[row * parts + p]), best + 1e-4);
      }
    }
  }
}

// What entries say exactly comes back, whatever its scale.
TEST_P(ProductTest, RecoversItsOwnVectors) {
  for (const int dim : {64, 128, 256}) {
    const RandomTables tables(Product(dim), 2, 5);
    RandomTensor packed(Product(dim), 2, 40, 6, &tables);
    std::vector<float> values(40 * 2 * dim);
    for (int head = 0; head < 2; ++head) {
      const std::vector<float> rows = Decode(packed.view(), head);
      for (int t = 0; t < 40; ++t) {
        std::copy_n(&rows[t * dim], dim, &values[(t * 2 + head) * dim]);
      }
    }
    PackedTensor rows;
    rows.codec = Rows(Encoding::kF32, dim);
    rows.heads = 2;
    rows.tokens = 40;
    rows.values = values.data();
    rows.head_stride = dim;
    rows.token_stride = 2 * dim;
    const Encoded out = EncodeWith(GetParam(), rows, dim / 4, tables.view());
    // Not every part finds its entry, as the root mean square is not the
    // scale; the error is that of a quantizer of 2 bits.
    double error = 0, energy = 0;
    for (int head = 0; head < 2; ++head) {
      const std::vector<float> decoded = Decode(out.view, head);
      for (int t = 0; t < 40; ++t) {
        for (int d = 0; d < dim; ++d) {
          const double value = values[(t * 2 + head) * dim + d];
          const double mean = tables.view().mean[head * dim + d];
          error += std::pow(decoded[t * dim + d] - value, 2);
          energy += std::pow(value - mean, 2);
        }
      }
    }
    EXPECT_LT(error / energy, 0.04);
  }
}

// With a rotation of 1 and entries of one direction the scale is what remains.
TEST_P(ProductTest, ScaleIsTheProjectionInE4M3) {
  const int dim = 64;
  std::vector<float> rotation(dim * dim, 0), mean(dim, 2), book(16 * 256 * 4);
  for (int i = 0; i < dim; ++i) rotation[i * dim + i] = 1;
  std::fill(book.begin(), book.end(), 0.5f);
  std::vector<float> values(3 * dim);
  std::fill_n(values.begin(), dim, 2 + 1.0f);            // r = 1: scale 2
  std::fill_n(values.begin() + dim, dim, 2 + 1.0625f);   // 2.125: tie to even
  std::fill_n(values.begin() + 2 * dim, dim, 2 - 1.0f);  // negative: 0
  PackedTensor rows;
  rows.codec = Rows(Encoding::kF32, dim);
  rows.heads = 1;
  rows.tokens = 3;
  rows.values = values.data();
  rows.head_stride = rows.token_stride = dim;
  const Encoded out = EncodeWith(GetParam(), rows, 16,
                                 {rotation.data(), mean.data(), book.data()});
  EXPECT_EQ(E4M3ToFloat(out.scales[0]), 2);
  EXPECT_EQ(E4M3ToFloat(out.scales[1]), 2);
  EXPECT_EQ(out.scales[2], 0);
  EXPECT_THAT(out.codes, Each(0));  // all entries tie
}

TEST_P(ProductTest, ExtremeRowsDecodeToNumbers) {
  const RandomTables tables(Product(64), 1, 5);
  RandomTensor rows(Rows(Encoding::kF32, 64), 1, 4, 4);
  for (int d = 0; d < 64; ++d) {
    rows.at(0, 0, d) = tables.view().mean[d];  // r = 0
    rows.at(1, 0, d) = d % 2 == 0 ? 3e38f : -3e38f;
    rows.at(2, 0, d) = 1e-41f;
    rows.at(3, 0, d) = 1e30f;
  }
  const Encoded out = EncodeWith(GetParam(), rows.view(), 16, tables.view());
  EXPECT_EQ(out.scales[0], 0);
  for (const float value : Decode(out.view, 0)) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_P(ProductTest, ReadsBFloat16AndNoTokens) {
  const RandomTables tables(Product(64), 2, 5);
  RandomTensor wide(Rows(Encoding::kF32, 64), 2, 50, 4);
  RandomTensor half(Rows(Encoding::kBf16, 64), 2, 50, 4);
  for (int t = 0; t < 50; ++t) {
    for (int i = 0; i < 2 * 64; ++i) {
      float& value = wide.at(t, i / 64, i % 64);
      value = RoundToBFloat16(value);
    }
  }
  EXPECT_EQ(EncodeWith(GetParam(), wide.view(), 16, tables.view()).codes,
            EncodeWith(GetParam(), half.view(), 16, tables.view()).codes);
  PackedTensor none = half.view();
  none.tokens = 0;
  EXPECT_TRUE(EncodeWith(GetParam(), none, 16, tables.view()).codes.empty());
}

TEST_P(ProductTest, ErrorsNameTheField) {
  SerialFor serial;
  const RandomTables tables(Product(64), 1, 5);
  RandomTensor rows(Rows(Encoding::kF32, 64), 1, 4, 4);
  std::vector<uint8_t> bytes(64);
  ProductArgs good;
  good.rows = rows.view();
  good.parts = 16;
  good.tables = tables.view();
  good.codes = good.scales = bytes.data();
  AlignedBuffer workspace(ProductWorkspaceBytes(good, serial));
  const auto message = [&](auto change) {
    ProductArgs args = good;
    size_t size = workspace.size();
    change(args, size);
    return std::string(
        GetParam()(args, workspace.data(), size, serial).message);
  };
  EXPECT_EQ(message([](auto&, auto&) {}), "");
  EXPECT_THAT(message([](auto& a, auto&) { a.parts = 3; }), HasSubstr("parts"));
  EXPECT_THAT(message([](auto& a, auto&) { a.codes = nullptr; }),
              HasSubstr("codes"));
  EXPECT_THAT(message([](auto& a, auto&) { a.tables.mean = nullptr; }),
              HasSubstr("tables"));
  EXPECT_THAT(message([](auto&, auto& size) { --size; }),
              HasSubstr("workspace_bytes"));
  EXPECT_THAT(message([](auto& a, auto&) {
                a.rows.codec = Product(64);
                a.rows.codes = a.rows.scales = a.codes;
                a.rows.tables = a.tables;
              }),
              HasSubstr("rows"));
}

TEST_P(ProductTest, VersionsChooseAlike) {
  for (const int dim : {64, 128}) {
    const RandomTables tables(Product(dim), 3, 5);
    RandomTensor rows(Rows(Encoding::kF32, dim), 3, 301, 4);
    const Encoded plain = EncodeWith(&EncodeProductReference, rows.view(),
                                     dim / 4, tables.view());
    const Encoded fast =
        EncodeWith(GetParam(), rows.view(), dim / 4, tables.view());
    size_t different = 0;
    for (size_t i = 0; i < plain.codes.size(); ++i) {
      different += plain.codes[i] != fast.codes[i] ? 1 : 0;
    }
    EXPECT_LE(different, plain.codes.size() / 5000);
  }
}

TEST(Product, BitsDoNotDependOnThreads) {
  const RandomTables tables(Product(64), 3, 5);
  RandomTensor rows(Rows(Encoding::kF32, 64), 3, 301, 4);
  const Encoded one =
      EncodeWith(&EncodeProduct, rows.view(), 16, tables.view(), 1);
  const Encoded three =
      EncodeWith(&EncodeProduct, rows.view(), 16, tables.view(), 3);
  EXPECT_EQ(one.codes, three.codes);
  EXPECT_EQ(one.scales, three.scales);
}

}  // namespace
}  // namespace qvg::kernels
