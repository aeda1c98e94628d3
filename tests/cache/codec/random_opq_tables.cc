#include "tests/cache/codec/random_opq_tables.h"

#include <utility>

#include "tests/kernels/random_tensors.h"

namespace qvg {
namespace {

OpqTensor RandomTensor(int heads, int head_dim, uint64_t seed) {
  const kernels::RandomTables tables(kernels::Product(head_dim), heads, seed);
  const kernels::ProductTables view = tables.view();
  const int64_t rows = int64_t{heads} * head_dim;
  OpqTensor tensor;
  tensor.rotation.assign(view.rotation, view.rotation + rows * head_dim);
  tensor.mean.assign(view.mean, view.mean + rows);
  tensor.codebook.assign(view.codebook, view.codebook + rows * 256);
  return tensor;
}

}  // namespace

std::vector<OpqLayer> RandomOpqLayers(int layers, int heads, int head_dim,
                                      uint64_t seed) {
  std::vector<OpqLayer> out;
  for (int i = 0; i < layers; ++i) {
    out.push_back({RandomTensor(heads, head_dim, seed + 2 * i),
                   RandomTensor(heads, head_dim, seed + 2 * i + 1)});
  }
  return out;
}

std::unique_ptr<OpqTables> RandomOpqTables(int layers, int heads, int head_dim,
                                           uint64_t seed) {
  return *OpqTables::Create(heads, head_dim,
                            RandomOpqLayers(layers, heads, head_dim, seed));
}

}  // namespace qvg
