#include "cache/codec/registry.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/codec/min_max_codec.h"
#include "cache/codec/opq_codec.h"
#include "cache/codec/opq_tables.h"
#include "cache/codec/residual_codec.h"
#include "cache/codec/unpacked_codec.h"

namespace qvg {
namespace {

using kernels::QuantizeRule;

constexpr int kMaxChunks = 64;
constexpr int kMaxIterations = 100;
// A private codebook pays for itself from about so many tokens on.
constexpr int kTokensPerCodebook = 512;

const CodecInfo* FindCodec(absl::string_view name) {
  for (const CodecInfo& info : Codecs()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

absl::Status UnknownCodec(absl::string_view name) {
  std::string known;
  for (const CodecInfo& info : Codecs()) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", info.name);
  }
  return absl::NotFoundError(absl::StrCat("cache_spec.codec: '", name,
                                          "' is unknown; known: ", known));
}

int GlobalLayers(const KvLayout& layout) {
  return static_cast<int>(
      std::count(layout.window_chunks.begin(), layout.window_chunks.end(), 0));
}

absl::Status CheckTables(const CodecInfo& info, const KvLayout& layout,
                         const OpqTables* tables) {
  if (!info.needs_model_tables) return absl::OkStatus();
  if (tables == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cache_spec.codec: '", info.name,
                     "' needs codebooks, and the model has none"));
  }
  if (tables->layers() == GlobalLayers(layout) &&
      tables->heads() == layout.heads &&
      tables->head_dim() == layout.head_dim) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "cache_spec.codec: '", info.name, "' has codebooks for ",
      tables->layers(), " layers of ", tables->heads(), " heads of ",
      tables->head_dim(), "; the model has ", GlobalLayers(layout), " of ",
      layout.heads, " of ", layout.head_dim));
}

// Fills in and checks fields one after the other; the first error stays.
class Resolver {
 public:
  Resolver(const CodecInfo& info, const KvLayout& layout, CacheSpec spec)
      : info_(info), layout_(layout), spec_(std::move(spec)) {}

  absl::StatusOr<CacheSpec> Run();

 private:
  int DefaultSpanChunks() const;
  int DefaultCentroids() const;
  void ResolveBits();

  void Refuse(absl::string_view field, int value, absl::string_view allowed);
  void OneOf(absl::string_view field, int* value, int unset, int by_default,
             std::initializer_list<int> allowed);
  void Within(absl::string_view field, int* value, int unset, int by_default,
              int lowest, int highest);
  void MustBeUnset(absl::string_view field, int value);

  const CodecInfo& info_;
  const KvLayout& layout_;
  CacheSpec spec_;
  absl::Status status_;
};

void Resolver::Refuse(absl::string_view field, int value,
                      absl::string_view allowed) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      absl::StrCat("cache_spec.", field, ": ", value, "; must be ", allowed,
                   " for codec '", info_.name, "'"));
}

void Resolver::OneOf(absl::string_view field, int* value, int unset,
                     int by_default, std::initializer_list<int> allowed) {
  if (*value == unset) *value = by_default;
  if (std::find(allowed.begin(), allowed.end(), *value) == allowed.end()) {
    Refuse(field, *value,
           absl::StrCat("one of ", absl::StrJoin(allowed, ", ")));
  }
}

void Resolver::Within(absl::string_view field, int* value, int unset,
                      int by_default, int lowest, int highest) {
  if (*value == unset) *value = by_default;
  if (*value < lowest || *value > highest) {
    Refuse(field, *value, absl::StrCat(lowest, " to ", highest));
  }
}

void Resolver::MustBeUnset(absl::string_view field, int value) {
  if (value != 0) Refuse(field, value, "left out");
}

// A codebook of its own wants a span of more than a small chunk.
int Resolver::DefaultSpanChunks() const {
  if (!info_.takes_centroids) return 1;
  const int tokens = layout_.tokens_per_chunk;
  return std::clamp((kTokensPerCodebook + tokens - 1) / tokens, 1, kMaxChunks);
}

// The largest power of two with at least eight tokens per centroid.
int Resolver::DefaultCentroids() const {
  const int64_t tokens = int64_t{layout_.tokens_per_chunk} * spec_.span_chunks;
  int centroids = 16;
  while (centroids < kernels::kMaxCentroids && centroids * 16 <= tokens) {
    centroids *= 2;
  }
  return centroids;
}

void Resolver::ResolveBits() {
  if (!info_.takes_bits) return MustBeUnset("bits", spec_.bits);
  if (info_.two_bits_only) return OneOf("bits", &spec_.bits, 0, 2, {2});
  OneOf("bits", &spec_.bits, 0, 2, {2, 4});
}

absl::StatusOr<CacheSpec> Resolver::Run() {
  Within("span_chunks", &spec_.span_chunks, 0, DefaultSpanChunks(), 1,
         kMaxChunks);
  Within("tail_chunks", &spec_.tail_chunks, -1, 0, 0, kMaxChunks);
  Within("sink_chunks", &spec_.sink_chunks, -1, 0, 0, kMaxChunks);
  ResolveBits();
  if (info_.block > 0) {
    OneOf("block", &spec_.block, 0, info_.block, {16, 32, 64});
  } else {
    MustBeUnset("block", spec_.block);
  }
  if (info_.takes_centroids) {
    Within("centroids", &spec_.centroids, 0, DefaultCentroids(), 1,
           kernels::kMaxCentroids);
    Within("stages", &spec_.stages, 0, 1, 1, kernels::kMaxStages);
    Within("iterations", &spec_.iterations, 0, 5, 1, kMaxIterations);
  } else {
    MustBeUnset("centroids", spec_.centroids);
    MustBeUnset("stages", spec_.stages);
    MustBeUnset("iterations", spec_.iterations);
  }
  if (!status_.ok()) return status_;
  return spec_;
}

absl::Status CheckLayout(const KvLayout& layout) {
  const int dim = layout.head_dim;
  if (layout.heads >= 1 && layout.tokens_per_chunk >= 1 &&
      (dim == 64 || dim == 128 || dim == 256)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "layout: ", layout.heads, " heads of ", dim, ", ",
      layout.tokens_per_chunk,
      " tokens per chunk; must be at least 1, of 64, 128 or 256, at least 1"));
}

// Codecs of Encoding::kResidual: what they do with a residual.
struct ResidualGrid {
  absl::string_view codec;
  QuantizeRule rule;
  bool trits = false;
};

constexpr ResidualGrid kGrids[] = {
    {"qvg", QuantizeRule::kAbsmax},
    {"qvg-minmax", QuantizeRule::kMinMax},
    {"qvg-search", QuantizeRule::kSearch},
    {"qvg-four", QuantizeRule::kFourLevels},
    {"qvg-four-search", QuantizeRule::kFourSearch},
    {"qvg-base3", QuantizeRule::kAbsmax, true},
    {"qvg-search-base3", QuantizeRule::kSearch, true},
    {"rtn", QuantizeRule::kRoundToNearest},
};

ResidualOptions OptionsOf(const CacheSpec& spec) {
  ResidualOptions options;
  for (const ResidualGrid& grid : kGrids) {
    if (grid.codec != spec.codec) continue;
    options.rule = grid.rule;
    options.trits = grid.trits;
  }
  options.bits = spec.bits;
  options.block = spec.block;
  options.stages = spec.stages;
  options.centroids = spec.centroids;
  options.iterations = spec.iterations;
  return options;
}

CodecInfo Bf16() {
  CodecInfo info;
  info.name = "bf16";
  info.description = "tokens as they are";
  return info;
}

CodecInfo Qvg() {
  CodecInfo info;
  info.name = "qvg";
  info.description =
      "Quant VideoGen: centroids of the span, then the residual with one "
      "scale per block of channels";
  info.takes_bits = true;
  info.block = 64;
  info.takes_centroids = true;
  return info;
}

CodecInfo QvgMinMax() {
  CodecInfo info = Qvg();
  info.name = "qvg-minmax";
  info.description =
      "qvg with its asymmetric residual: a scale and a zero point per block";
  return info;
}

// Modes of qvg with codes of three or four levels.
CodecInfo QvgOfTwoBits(absl::string_view name, absl::string_view description) {
  CodecInfo info = Qvg();
  info.name = std::string(name);
  info.description = std::string(description);
  info.two_bits_only = true;
  return info;
}

CodecInfo QvgSearch() {
  return QvgOfTwoBits("qvg-search",
                      "qvg with the scale of each block that errs least");
}

CodecInfo QvgFour() {
  return QvgOfTwoBits("qvg-four",
                      "qvg with four levels of its residual, outer and inner "
                      "ones, and exact extremes of each block");
}

CodecInfo QvgFourSearch() {
  return QvgOfTwoBits("qvg-four-search",
                      "qvg-four with the outer level of each block that errs "
                      "least instead of its extreme");
}

CodecInfo QvgBase3() {
  return QvgOfTwoBits("qvg-base3", "qvg with five residual codes to a byte");
}

CodecInfo QvgSearchBase3() {
  return QvgOfTwoBits("qvg-search-base3",
                      "qvg-search with five residual codes to a byte");
}

CodecInfo Kivi() {
  CodecInfo info;
  info.name = "kivi";
  info.description =
      "a zero and a scale per group of tokens of each key channel, and per "
      "group of channels of each value";
  info.takes_bits = true;
  info.block = 32;
  return info;
}

CodecInfo Quarot() {
  CodecInfo info;
  info.name = "quarot";
  info.description =
      "a Hadamard rotation, then a zero and a scale per token and head";
  info.takes_bits = true;
  return info;
}

CodecInfo Rtn() {
  CodecInfo info;
  info.name = "rtn";
  info.description = "round to nearest with one scale per block of channels";
  info.takes_bits = true;
  info.block = 16;
  return info;
}

CodecInfo Opq() {
  CodecInfo info;
  info.name = "opq";
  info.description =
      "codes in codebooks of the model, one scale per token and head";
  info.needs_model_tables = true;
  info.needs_pre_rope_keys = true;
  return info;
}

}  // namespace

const std::vector<CodecInfo>& Codecs() {
  static const auto* const codecs = new std::vector<CodecInfo>{
      Bf16(),    Qvg(),           QvgMinMax(), QvgSearch(),
      QvgFour(), QvgFourSearch(), QvgBase3(),  QvgSearchBase3(),
      Rtn(),     Kivi(),          Quarot(),    Opq()};
  return *codecs;
}

absl::StatusOr<CacheSpec> ResolveCacheSpec(const CacheSpec& spec,
                                           const KvLayout& layout,
                                           const OpqTables* tables) {
  const CodecInfo* info = FindCodec(spec.codec);
  if (info == nullptr) return UnknownCodec(spec.codec);
  absl::Status status = CheckLayout(layout);
  if (status.ok()) status = CheckTables(*info, layout, tables);
  if (!status.ok()) return status;
  return Resolver(*info, layout, spec).Run();
}

absl::StatusOr<std::unique_ptr<Codec>> MakeCodec(const CacheSpec& spec,
                                                 const KvLayout& layout,
                                                 const OpqTables* tables) {
  const absl::StatusOr<CacheSpec> resolved =
      ResolveCacheSpec(spec, layout, tables);
  if (!resolved.ok()) return resolved.status();
  if (*resolved != spec) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cache_spec: '", ToString(spec), "' is not resolved; that would be '",
        ToString(*resolved), "'"));
  }
  if (spec.codec == "bf16") return MakeUnpackedCodec(spec.unpacked);
  if (spec.codec == "opq") return MakeOpqCodec(tables);
  if (spec.codec == "kivi") return MakeKiviCodec(spec.bits, spec.block);
  if (spec.codec == "quarot") return MakeQuarotCodec(spec.bits);
  return MakeResidualCodec(OptionsOf(spec));
}

}  // namespace qvg
