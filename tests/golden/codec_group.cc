#include <algorithm>
#include <cmath>

#include "cache/codec/residual_codec.h"
#include "cache/sha256.h"
#include "kernels/parallel_for.h"
#include "tests/golden/clustering.h"
#include "tests/golden/groups.h"
#include "tests/golden/operations.h"
#include "tests/golden/quantizing.h"
#include "tests/golden/stored_tensor.h"

namespace qvg::golden {
namespace {

using kernels::QuantizeRule;

// From here on squared distances overflow FP32: quality means nothing.
constexpr float kHuge = 1e18f;

std::string Width(int bits) { return "int" + std::to_string(bits); }

// Check 1: stored bytes to BF16.
void CheckDecode(const GoldenCase& golden, const PackedCase& packed,
                 Checks* checks) {
  const std::string width = Width(packed.codec.bits);
  const PointSet decoded = Decode(packed.View());
  const auto* bytes = reinterpret_cast<const uint8_t*>(decoded.values.data());
  checks->Expect(
      Hex(Sha256(absl::MakeSpan(bytes, decoded.values.size() * 2))) ==
          golden.json().at(width).at("decoded_sha256").get<std::string>(),
      "decode " + width + ": another SHA-256");
  if (golden.Has("decoded_" + width)) {
    checks->ExpectNone(
        Differences(decoded.values,
                    golden.Get<uint16_t>("decoded_" + width).values),
        "decode " + width);
    return;
  }
  const std::vector<int32_t> rows = golden.Get<int32_t>("rows").values;
  std::vector<uint16_t> chosen;
  for (int head = 0; head < decoded.heads; ++head) {
    for (const int32_t row : rows) {
      const int64_t at = (head * decoded.tokens + row) * decoded.dim;
      for (int d = 0; d < decoded.dim; ++d) {
        chosen.push_back(decoded.values.at(at + d));
      }
    }
  }
  checks->ExpectNone(
      Differences(chosen, golden.Get<uint16_t>("decoded_rows_" + width).values),
      "decode " + width + ", rows");
}

void Subtract(const Clustering& stage, PointSet* residual) {
  kernels::SerialFor serial;
  const kernels::Error error =
      Selected().subtract(residual->View(), stage.centroids.data(),
                          stage.clusters, stage.labels.data(), serial);
  if (!error.ok()) throw GoldenError(error.message);
}

// The centroids and ids of one stage of a stored tensor.
Clustering StoredStage(const PackedCase& packed, int stage) {
  const int64_t centroids =
      int64_t{packed.heads} * packed.codec.centroids * packed.codec.head_dim;
  const int64_t ids = packed.heads * packed.tokens;
  Clustering out;
  out.clusters = packed.codec.centroids;
  out.centroids.assign(packed.centroids.begin() + stage * centroids,
                       packed.centroids.begin() + (stage + 1) * centroids);
  out.labels.assign(packed.ids.begin() + stage * ids,
                    packed.ids.begin() + (stage + 1) * ids);
  return out;
}

// Check 2: the input less the stored centroids to codes and scales.
void CheckQuantize(const PackedCase& packed, const PointSet& input,
                   Checks* checks) {
  PointSet residual = input;
  for (int s = 0; s < packed.codec.stages; ++s) {
    Subtract(StoredStage(packed, s), &residual);
  }
  const int bits = packed.codec.bits;
  const int block = packed.codec.block;
  ExpectQuantized(QuantizePoints(residual, QuantizeRule::kAbsmax, bits, block),
                  {packed.codes, packed.scales, {}}, block * bits / 8,
                  "quantize " + Width(bits), checks);
}

// Check 3. A span of one layer is two tensors.
void CheckBytes(const GoldenCase& golden, const PackedCase& packed,
                Checks* checks) {
  ResidualOptions options;
  options.bits = packed.codec.bits;
  options.block = packed.codec.block;
  options.stages = packed.codec.stages;
  options.centroids = packed.codec.centroids;
  options.iterations = 1;
  const int64_t bytes = MakeResidualCodec(options)->SpanBytes(
      {1, packed.heads, packed.codec.head_dim, packed.tokens});
  const int64_t expected =
      golden.json().at(Width(packed.codec.bits)).at("bytes");
  checks->Expect(bytes == 2 * expected, "bytes " + Width(packed.codec.bits) +
                                            ": " + std::to_string(bytes) +
                                            " for two tensors of " +
                                            std::to_string(expected));
}

// The tensor that our own encoder makes from the given start points.
PackedCase Fit(const GoldenCase& golden, const PackedCase& like,
               const PointSet& input) {
  const Array<int32_t> init = golden.Get<int32_t>("init_index");
  const int64_t draws = int64_t{like.heads} * like.codec.centroids;
  PackedCase out = like;
  out.ids.clear();
  out.centroids.clear();
  PointSet residual = input;
  for (int s = 0; s < like.codec.stages; ++s) {
    Clustering stage;
    stage.points = residual;
    stage.clusters = like.codec.centroids;
    for (int64_t i = 0; i < draws; ++i) {
      const int64_t row =
          i / stage.clusters * input.tokens + init.values.at(s * draws + i);
      const auto first = residual.values.begin() + row * input.dim;
      stage.centroids.insert(stage.centroids.end(), first, first + input.dim);
    }
    stage.Iterate(golden.json().at("kmeans_max_iters"));
    Subtract(stage, &residual);
    out.ids.insert(out.ids.end(), stage.labels.begin(), stage.labels.end());
    out.centroids.insert(out.centroids.end(), stage.centroids.begin(),
                         stage.centroids.end());
  }
  Quantized quantized = QuantizePoints(residual, QuantizeRule::kAbsmax,
                                       like.codec.bits, like.codec.block);
  out.codes = std::move(quantized.codes);
  out.scales = std::move(quantized.scales);
  return out;
}

struct Distance {
  double relative = 0;
  float largest_input = 0;
};

Distance DistanceOf(const PointSet& decoded, const PointSet& input) {
  double error = 0;
  double energy = 0;
  Distance out;
  for (int head = 0; head < input.heads; ++head) {
    for (int64_t t = 0; t < input.tokens; ++t) {
      for (int d = 0; d < input.dim; ++d) {
        const double value = input.At(head, t, d);
        error += std::pow(decoded.At(head, t, d) - value, 2);
        energy += value * value;
        out.largest_input =
            std::max(out.largest_input, std::abs(input.At(head, t, d)));
      }
    }
  }
  out.relative = error == 0 ? 0 : std::sqrt(error / energy);
  return out;
}

// Check 4: quality from the same start.
void CheckFit(const GoldenCase& golden, const PackedCase& packed,
              const PointSet& input, Checks* checks) {
  const std::string width = Width(packed.codec.bits);
  const PackedCase own = Fit(golden, packed, input);
  const Distance distance = DistanceOf(Decode(own.View()), input);
  const double limit = golden.json().at(width).at("rel_l2_limit");
  const bool ok =
      std::isfinite(distance.relative) &&
      (distance.relative <= limit || distance.largest_input > kHuge);
  checks->Expect(ok, "fit " + width + ": rel_l2 " +
                         std::to_string(distance.relative) + "; limit " +
                         std::to_string(limit));
}

}  // namespace

void CheckCodec(const GoldenCase& golden, Checks* checks) {
  const PointSet input = golden.Input();
  for (const int bits : {2, 4}) {
    if (!golden.json().contains(Width(bits))) continue;
    const PackedCase packed = LoadPacked(golden, bits);
    if (input.heads != packed.heads || input.tokens != packed.tokens ||
        input.dim != packed.codec.head_dim) {
      throw GoldenError("input: its shape is not that of the case");
    }
    CheckDecode(golden, packed, checks);
    CheckQuantize(packed, input, checks);
    CheckBytes(golden, packed, checks);
    CheckFit(golden, packed, input, checks);
  }
}

}  // namespace qvg::golden
