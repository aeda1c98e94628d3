#ifndef SERVER_GENERATOR_TINYWORLD_MODEL_H_
#define SERVER_GENERATOR_TINYWORLD_MODEL_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// The model, one definition for training and inference; only attention comes
// from outside. N chunks are computed at once, each in C copies that share
// actions and rays (training: clean and noised; else C = 1); G = N * C groups
// of 128 tokens, copies innermost.

// Ray features of `poses` (N,4,3): (N,16,64) by pair and patch column, both
// frames of the pair side by side. FP32.
at::Tensor RayFeatures(const at::Tensor& poses);

// What the model knows of chunks beside their pixels, computed once for all
// passes.
struct Conditions {
  at::Tensor tokens;             // (N,128,256), added to the pixels'
  std::vector<at::Tensor> rays;  // per block (N,16,512), added to Q and K
};

// `actions` is (N,4), integers.
Conditions MakeConditions(const Parameters& parameters, const at::Tensor& poses,
                          const at::Tensor& actions);

// softmax(q k^T / 8) v of block `block` for all groups: q, k and v of the
// groups' own tokens are (G,128,256), the result too. What else a token sees
// is the callee's business. An undefined result ends the pass: nobody needs its
// picture.
using AttentionFn = std::function<at::Tensor(
    int block, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;

// The clean picture behind `tokens` (N,C,128,1536) noised to `levels` (N,C):
// (N,C,128,1536) in the type of the parameters.
at::Tensor Predict(const Parameters& parameters, const Conditions& conditions,
                   const at::Tensor& tokens, const at::Tensor& levels,
                   const AttentionFn& attention);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_MODEL_H_
