#ifndef CACHE_CODEC_OPQ_TABLES_H_
#define CACHE_CODEC_OPQ_TABLES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Tables of one tensor (K or V) of one layer, of all heads; see
// kernels::ProductTables.
struct OpqTensor {
  std::vector<float> rotation;  // [H,D,D], orthogonal
  std::vector<float> mean;      // [H,D]
  std::vector<float> codebook;  // [H,P,256,D/P]
};

struct OpqLayer {
  OpqTensor keys;
  OpqTensor values;
};

// Model-owned codebooks of the codec opq: fitted once, shipped beside the
// weights, shared by all sessions. Immutable and thread-safe.
class OpqTables {
 public:
  // Channels that share a code.
  static constexpr int kPartWidth = 4;

  // `layers` are the layers that are packed, in the order of the model. All
  // numbers are rounded to BF16, so that tables are the same before and after
  // they have been in a file. INVALID_ARGUMENT names a table of the wrong
  // size, one that is not finite, and a rotation that is not orthogonal.
  static absl::StatusOr<std::unique_ptr<OpqTables>> Create(
      int heads, int head_dim, std::vector<OpqLayer> layers);

  int heads() const { return heads_; }
  int head_dim() const { return head_dim_; }
  int parts() const { return head_dim_ / kPartWidth; }
  int layers() const { return static_cast<int>(layers_.size()); }

  // Keys (tensor 0) or values (1). Valid as long as this object.
  kernels::ProductTables View(int layer, int tensor) const;

 private:
  OpqTables(int heads, int head_dim, std::vector<OpqLayer> layers);

  int heads_;
  int head_dim_;
  std::vector<OpqLayer> layers_;
};

}  // namespace qvg

#endif  // CACHE_CODEC_OPQ_TABLES_H_
