#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/hadamard.h"
#include "kernels/min_max.h"
#include "kernels/numeric.h"
#include "kernels/parallel_for.h"
#include "tests/golden/compare.h"
#include "tests/golden/groups.h"
#include "tests/golden/operations.h"
#include "tests/golden/stored_tensor.h"

namespace qvg::golden {
namespace {

using kernels::CodecDescriptor;
using kernels::GroupAxis;

// A tensor of kMinMax that owns its memory.
struct Encoded {
  std::vector<uint8_t> codes;
  std::vector<uint16_t> scales;
  std::vector<uint16_t> zeros;
  std::vector<uint16_t> rows;
  kernels::PackedTensor view;
};

kernels::MinMaxArgs ArgsOf(const CodecDescriptor& codec, PointSet* points,
                           Encoded* out) {
  const int64_t grouped = kernels::GroupedTokens(codec, points->tokens);
  const int64_t row = int64_t{points->heads} * points->dim;
  out->codes.resize(grouped * points->heads * kernels::CodeBytes(codec));
  out->scales.resize(grouped * row / codec.block);
  out->zeros.resize(out->scales.size());
  out->rows.resize((points->tokens - grouped) * row);
  kernels::MinMaxArgs args;
  args.points = points->View();
  args.codec = codec;
  args.codes = out->codes.data();
  args.half_scales = out->scales.data();
  args.half_zeros = out->zeros.data();
  args.rows = out->rows.data();
  return args;
}

Encoded Encode(const CodecDescriptor& codec, PointSet points) {
  Encoded out;
  const kernels::MinMaxArgs args = ArgsOf(codec, &points, &out);
  kernels::SerialFor serial;
  const kernels::Error error = Selected().encode_min_max(args, serial);
  if (!error.ok()) throw GoldenError(error.message);
  out.view.codec = codec;
  out.view.heads = points.heads;
  out.view.tokens = points.tokens;
  out.view.values = args.rows;
  out.view.token_stride = int64_t{points.heads} * points.dim;
  out.view.head_stride = points.dim;
  out.view.codes = args.codes;
  out.view.half_scales = args.half_scales;
  out.view.half_zeros = args.half_zeros;
  return out;
}

// [N,H,n] as [H,N,n].
template <typename T>
std::vector<T> HeadsFirst(const std::vector<T>& values, int heads, int64_t n) {
  const int64_t count = static_cast<int64_t>(values.size()) / (heads * n);
  std::vector<T> out;
  for (int head = 0; head < heads; ++head) {
    for (int64_t i = 0; i < count; ++i) {
      const auto first = values.begin() + (i * heads + head) * n;
      out.insert(out.end(), first, first + n);
    }
  }
  return out;
}

// One code per byte, [H,T',D].
std::vector<uint8_t> Codes(const Encoded& encoded) {
  const int bits = encoded.view.codec.bits;
  std::vector<uint8_t> out;
  for (const uint8_t byte : encoded.codes) {
    for (int shift = 8 - bits; shift >= 0; shift -= bits) {
      out.push_back(byte >> shift & ((1 << bits) - 1));
    }
  }
  return HeadsFirst(out, encoded.view.heads, encoded.view.codec.head_dim);
}

// Channels of one token or head that have a group of their own.
int64_t GroupsPerRow(const CodecDescriptor& codec) {
  return codec.axis == GroupAxis::kToken ? codec.head_dim
                                         : codec.head_dim / codec.block;
}

// The largest difference of bit patterns; the order of numbers of one sign is
// that of their patterns.
int MostSteps(const std::vector<uint16_t>& actual,
              const std::vector<uint16_t>& expected) {
  if (actual.size() != expected.size()) throw GoldenError("other size");
  int most = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    most = std::max(most, std::abs(int{actual[i]} - int{expected[i]}));
  }
  return most;
}

// At least 99.5 % equal, the rest off by one.
bool NearlyAllEqual(const std::vector<uint8_t>& actual,
                    const std::vector<uint8_t>& expected) {
  if (actual.size() != expected.size()) throw GoldenError("other size");
  size_t different = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::abs(int{actual[i]} - int{expected[i]}) > 1) return false;
    different += actual[i] != expected[i];
  }
  return different * 200 <= actual.size();
}

double RelativeL2(const PointSet& actual, const PointSet& expected) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const double x = kernels::BFloat16ToFloat(expected.values[i]);
    error += std::pow(kernels::BFloat16ToFloat(actual.values[i]) - x, 2);
    energy += x * x;
  }
  return std::sqrt(error / energy);
}

// The largest difference between `rotated` and the points times the matrix,
// relative to the largest number.
double RotationError(const PointSet& points,
                     const std::vector<float>& rotated) {
  if (rotated.size() != points.values.size()) throw GoldenError("other size");
  double error = 0, largest = 0;
  std::vector<double> row(points.dim);
  for (size_t first = 0; first < rotated.size(); first += points.dim) {
    std::transform(points.values.begin() + first,
                   points.values.begin() + first + points.dim, row.begin(),
                   kernels::BFloat16ToFloat);
    kernels::Hadamard(points.dim, row.data());
    for (int d = 0; d < points.dim; ++d) {
      error = std::max(error, std::abs(row[d] - rotated[first + d]));
      largest = std::max(largest, std::abs(row[d]));
    }
  }
  return error / largest;
}

CodecDescriptor KiviDescriptor(const nlohmann::json& json, int dim) {
  CodecDescriptor codec;
  codec.encoding = kernels::Encoding::kMinMax;
  codec.head_dim = dim;
  codec.bits = json.at("bits");
  codec.block = json.at("group");
  codec.axis =
      json.at("axis") == "token" ? GroupAxis::kToken : GroupAxis::kChannel;
  return codec;
}

}  // namespace

void CheckKivi(const GoldenCase& golden, Checks* checks) {
  const PointSet input = golden.Input();
  const CodecDescriptor codec = KiviDescriptor(golden.json(), input.dim);
  const Encoded encoded = Encode(codec, input);
  const int64_t groups = GroupsPerRow(codec);
  checks->ExpectNone(
      Differences(HeadsFirst(encoded.scales, input.heads, groups),
                  golden.Halves("scale")),
      "scale");
  checks->ExpectNone(Differences(HeadsFirst(encoded.zeros, input.heads, groups),
                                 golden.Halves("zero")),
                     "zero");
  checks->ExpectNone(
      Differences(Codes(encoded), golden.Get<uint8_t>("codes").values),
      "codes");
  checks->ExpectNone(
      Differences(Decode(encoded.view).values, golden.Points("decoded").values),
      "decoded");
}

void CheckQuarot(const GoldenCase& golden, Checks* checks) {
  const PointSet input = golden.Input();
  CodecDescriptor codec;
  codec.encoding = kernels::Encoding::kMinMax;
  codec.head_dim = codec.block = input.dim;
  codec.bits = golden.json().at("bits");
  codec.hadamard = true;
  const Encoded encoded = Encode(codec, input);
  checks->Expect(
      RotationError(input, golden.Get<float>("rotated").values) <= 1e-5,
      "rotated");
  checks->Expect(MostSteps(HeadsFirst(encoded.scales, input.heads, 1),
                           golden.Halves("scale")) <= 1,
                 "scale");
  checks->Expect(MostSteps(HeadsFirst(encoded.zeros, input.heads, 1),
                           golden.Halves("zero")) <= 1,
                 "zero");
  checks->Expect(
      NearlyAllEqual(Codes(encoded), golden.Get<uint8_t>("codes").values),
      "codes");
  const double expected = golden.json().at("rel_l2");
  const double actual = RelativeL2(Decode(encoded.view), input);
  checks->Expect(std::abs(actual - expected) <= .005 * expected,
                 "rel_l2: " + std::to_string(actual) + "; must be " +
                     std::to_string(expected));
  checks->Expect(
      RelativeL2(Decode(encoded.view), golden.Points("decoded")) <= .02,
      "decoded");
}

}  // namespace qvg::golden
