#ifndef SERVER_GENERATOR_TINYWORLD_PARAMETERS_H_
#define SERVER_GENERATOR_TINYWORLD_PARAMETERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace qvg::tinyworld {

// Everything the model learns. L = 10 blocks, D = 256; matrices are
// [out,in] as in at::linear.
struct Parameters {
  at::Tensor pixels_in;         // (128,1536)
  at::Tensor tokens_in;         // (D,128)
  at::Tensor rays_in;           // (D,64)
  at::Tensor positions;         // (128,D), by token of the chunk
  at::Tensor actions;           // (4,5,D), by frame of the chunk and action
  at::Tensor level_in;          // (D,128), of the noise level's sinusoid
  at::Tensor level_bias;        // (D)
  at::Tensor level_out;         // (D,D)
  at::Tensor level_out_bias;    // (D)
  at::Tensor modulation;        // (6D,D), shared by all blocks
  at::Tensor modulation_bias;   // (6D)
  at::Tensor block_modulation;  // (L,6,D)
  at::Tensor block_rays;        // (L,D,64)
  at::Tensor query_key_value;   // (L,3D,D)
  at::Tensor query_key_gain;    // (L,2,D)
  at::Tensor attention_out;     // (L,D,D)
  at::Tensor mlp_up;            // (L,4D,D)
  at::Tensor mlp_down;          // (L,D,4D)
  at::Tensor head_modulation;   // (2,D): shift, scale
  at::Tensor head;              // (1536,D)
  at::Tensor head_bias;         // (1536)
};

// How one of them begins and is trained.
struct ParameterInfo {
  // kLinear: uniform within 1/sqrt(columns); kSmall: normal, deviation .02;
  // kModest: normal, deviation 1/sqrt(columns).
  enum class Init { kZero, kOne, kLinear, kSmall, kModest };

  const char* name;
  at::Tensor Parameters::*tensor;
  std::vector<int64_t> shape;
  Init init = Init::kZero;
  // Works on tokens, so it takes the type of the activations; the others
  // stay in FP32.
  bool on_tokens = false;
  // 0: trained by AdamW; n: by Muon, as a stack of matrices of n rows.
  int muon_rows = 0;
};

// All of them, in a fixed order.
const std::vector<ParameterInfo>& ParameterTable();

// The start of a training run: FP32, pure in `seed`.
Parameters InitialParameters(uint64_t seed);

// The tensors in the order of the table.
std::vector<at::Tensor> AsList(const Parameters& parameters);
Parameters FromList(const std::vector<at::Tensor>& list);

// FP32 except for what works on tokens, which becomes `type`.
// Differentiable.
Parameters WithTokenType(const Parameters& parameters, at::ScalarType type);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_PARAMETERS_H_
