#ifndef KERNELS_ENCODE_H_
#define KERNELS_ENCODE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/quantize.h"

namespace qvg::kernels {

// K or V of one layer on its way into kResidual. Outputs are laid out as in
// PackedTensor.
struct EncodeTensor {
  // BF16, finite; element (t,h,d) is rows[t*token_stride + h*head_stride + d].
  // Aligned to 16 bytes, strides multiples of 8.
  const uint16_t* rows = nullptr;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  // BF16 [S,H,K,D], aligned to 16 bytes: written by a fit, else read.
  uint16_t* centroids = nullptr;
  uint8_t* ids = nullptr;     // [S,H,T]
  uint8_t* codes = nullptr;   // [T,H,D*bits/8], aligned to 4 bytes
  uint8_t* scales = nullptr;  // [T,H,D/B]
  uint8_t* zeros = nullptr;   // kMinMax: as scales
  uint64_t seed = 0;          // of the centroids that a fit begins with
};

// All tensors of a span: one shape, one codec.
struct EncodeArgs {
  const EncodeTensor* tensors = nullptr;  // in host memory
  int count = 0;
  int heads = 0;
  int64_t tokens = 0;
  int dim = 0;       // 64, 128 or 256
  int stages = 0;    // S: 1 to 4
  int clusters = 0;  // K: 1 to 256
  int bits = 0;      // 2 or 4
  int block = 0;     // B: 16, 32 or 64
  QuantizeRule rule = QuantizeRule::kAbsmax;
  // Rounds of k-means by which centroids are fitted, stage by stage, from
  // points that are drawn as KmeansDraw does with RandomBits(seed, stage); 0:
  // they are given.
  int fit_rounds = 0;
  // A fit looks at every so many-th token in its last round; if that is not
  // each, at half as many in every round before.
  int fit_stride = 1;
};

// The widest stride, 8 at most, that leaves enough tokens to place `clusters`
// centroids as well as all tokens would.
int FitStride(int64_t tokens, int clusters);

// Bytes that EncodeCuda needs: the labels of a fit and, if there are several
// stages, the residuals between them.
size_t EncodeCudaWorkspaceBytes(const EncodeArgs& args);

// Encodes all tensors, on the device. A stage is fitted; then one pass over the
// rows finds the nearest centroids, subtracts them and, in the last stage,
// quantizes and packs what is left. Same input, same bits; the tensors of a
// call and their number do not matter.
Error EncodeCuda(const EncodeArgs& args, void* workspace,
                 size_t workspace_bytes, CudaStream stream);

namespace internal {
// What EncodeCuda refuses on any device.
Error CheckEncode(const EncodeArgs& args);
}  // namespace internal

}  // namespace qvg::kernels

#endif  // KERNELS_ENCODE_H_
