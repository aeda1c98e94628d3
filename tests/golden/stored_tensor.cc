#include "tests/golden/stored_tensor.h"

#include "kernels/parallel_for.h"
#include "tests/golden/operations.h"

namespace qvg::golden {
namespace {

void CheckSizes(const PackedCase& packed) {
  const kernels::CodecDescriptor& codec = packed.codec;
  const int64_t rows = packed.heads * packed.tokens;
  const auto fits = [](size_t actual, int64_t expected) {
    return static_cast<int64_t>(actual) == expected;
  };
  if (!fits(packed.codes.size(), rows * codec.head_dim * codec.bits / 8) ||
      !fits(packed.scales.size(), rows * codec.head_dim / codec.block) ||
      !fits(packed.ids.size(), rows * codec.stages) ||
      !fits(packed.centroids.size(), int64_t{codec.stages} * packed.heads *
                                         codec.centroids * codec.head_dim)) {
    throw GoldenError("codes, scales, ids, centroids: sizes do not fit");
  }
  for (const uint8_t id : packed.ids) {
    if (id >= codec.centroids) throw GoldenError("ids: not a centroid");
  }
}

}  // namespace

kernels::PackedTensor PackedCase::View() const {
  kernels::PackedTensor tensor;
  tensor.codec = codec;
  tensor.heads = heads;
  tensor.tokens = tokens;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  tensor.ids = ids.data();
  tensor.centroids = centroids.data();
  return tensor;
}

PackedCase LoadPacked(const GoldenCase& golden, int bits) {
  const nlohmann::json& json = golden.json();
  const std::string suffix = "_int" + std::to_string(bits);
  PackedCase packed;
  packed.codec.encoding = kernels::Encoding::kResidual;
  packed.codec.head_dim = json.at("D");
  packed.codec.bits = bits;
  packed.codec.block = json.at("block");
  packed.codec.stages = json.at("stages");
  packed.codec.centroids = json.at("k");
  packed.heads = json.at("H");
  packed.tokens = json.at("T");
  packed.codes = golden.Get<uint8_t>("codes" + suffix).values;
  packed.scales = golden.Get<uint8_t>("scales" + suffix).values;
  packed.ids = golden.Get<uint8_t>("ids").values;
  packed.centroids = golden.Get<uint16_t>("centroids").values;
  CheckSizes(packed);
  return packed;
}

PointSet Decode(const kernels::PackedTensor& tensor) {
  PointSet out;
  out.heads = tensor.heads;
  out.tokens = tensor.tokens;
  out.dim = tensor.codec.head_dim;
  out.values.resize(out.heads * out.tokens * out.dim);
  kernels::SerialFor serial;
  const kernels::Error error = Selected().decode_rows(
      tensor, 0, tensor.tokens, out.values.data(), serial);
  if (!error.ok()) throw GoldenError(error.message);
  return out;
}

}  // namespace qvg::golden
