#include "server/generator/tinyworld/parameters.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

using Init = ParameterInfo::Init;
using P = Parameters;

constexpr int64_t kRayInputs = int64_t{kFramesPerToken} * kRayValues;

std::vector<ParameterInfo> MakeTable() {
  constexpr int64_t L = kBlocks;
  constexpr int64_t D = kWidth;
  return {
      {"pixels_in",
       &P::pixels_in,
       {kBottleneck, kTokenValues},
       Init::kLinear,
       true},
      {"tokens_in", &P::tokens_in, {D, kBottleneck}, Init::kLinear, true},
      {"rays_in", &P::rays_in, {D, kRayInputs}, Init::kLinear, true},
      {"positions", &P::positions, {kTokens, D}, Init::kSmall},
      {"actions", &P::actions, {kFramesPerChunk, kActions, D}, Init::kSmall},
      {"level_in", &P::level_in, {D, 2 * kFrequencies}, Init::kLinear},
      {"level_bias", &P::level_bias, {D}},
      {"level_out", &P::level_out, {D, D}, Init::kLinear},
      {"level_out_bias", &P::level_out_bias, {D}},
      {"modulation", &P::modulation, {6 * D, D}, Init::kLinear},
      {"modulation_bias", &P::modulation_bias, {6 * D}},
      {"block_modulation", &P::block_modulation, {L, 6, D}, Init::kModest},
      {"block_rays", &P::block_rays, {L, D, kRayInputs}, Init::kLinear, true},
      {"query_key_value",
       &P::query_key_value,
       {L, 3 * D, D},
       Init::kLinear,
       true,
       kWidth},
      {"query_key_gain", &P::query_key_gain, {L, 2, D}, Init::kOne},
      {"attention_out",
       &P::attention_out,
       {L, D, D},
       Init::kZero,
       true,
       kWidth},
      {"mlp_up", &P::mlp_up, {L, kHidden, D}, Init::kLinear, true, kHidden},
      {"mlp_down", &P::mlp_down, {L, D, kHidden}, Init::kZero, true, kWidth},
      {"head_modulation", &P::head_modulation, {2, D}},
      {"head", &P::head, {kTokenValues, D}, Init::kZero, true},
      {"head_bias", &P::head_bias, {kTokenValues}, Init::kZero, true},
  };
}

at::Tensor InitialTensor(const ParameterInfo& info,
                         const at::Generator& generator) {
  at::Tensor t = at::zeros(info.shape, at::kFloat);
  switch (info.init) {
    case Init::kZero:
      break;
    case Init::kOne:
      t.fill_(1);
      break;
    case Init::kLinear: {
      const double bound = 1 / std::sqrt(static_cast<double>(t.size(-1)));
      t.uniform_(-bound, bound, generator);
      break;
    }
    case Init::kSmall:
      t.normal_(0, 0.02, generator);
      break;
    case Init::kModest: {
      const double deviation = 1 / std::sqrt(static_cast<double>(t.size(-1)));
      t.normal_(0, deviation, generator);
      break;
    }
  }
  return t;
}

}  // namespace

const std::vector<ParameterInfo>& ParameterTable() {
  static const auto* const table = new std::vector<ParameterInfo>(MakeTable());
  return *table;
}

Parameters InitialParameters(uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  Parameters parameters;
  for (const ParameterInfo& info : ParameterTable()) {
    parameters.*info.tensor = InitialTensor(info, generator);
  }
  return parameters;
}

std::vector<at::Tensor> AsList(const Parameters& parameters) {
  std::vector<at::Tensor> list;
  for (const ParameterInfo& info : ParameterTable()) {
    list.push_back(parameters.*info.tensor);
  }
  return list;
}

Parameters FromList(const std::vector<at::Tensor>& list) {
  Parameters parameters;
  for (size_t i = 0; i < list.size(); ++i) {
    parameters.*ParameterTable()[i].tensor = list[i];
  }
  return parameters;
}

Parameters WithTokenType(const Parameters& parameters, at::ScalarType type) {
  Parameters result;
  for (const ParameterInfo& info : ParameterTable()) {
    const at::Tensor& t = parameters.*info.tensor;
    result.*info.tensor = t.to(info.on_tokens ? type : at::kFloat);
  }
  return result;
}

}  // namespace qvg::tinyworld
