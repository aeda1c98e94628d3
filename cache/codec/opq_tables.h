#ifndef CACHE_CODEC_OPQ_TABLES_H_
#define CACHE_CODEC_OPQ_TABLES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/cuda_stream.h"
#include "kernels/device_memory.h"
#include "kernels/executor.h"
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
  int layers() const { return static_cast<int>(views_.size() / 2); }

  // A copy of these, which are on the host, in the memory of a device, for
  // codecs that run there; counted, as the tables are, with the weights of the
  // model. Waits for the copy. RESOURCE_EXHAUSTED if the device has no room.
  absl::StatusOr<std::unique_ptr<OpqTables>> OnDevice(
      kernels::CudaStream stream) const;

  // Where View points.
  kernels::MemoryKind memory() const { return memory_; }

  // Keys (tensor 0) or values (1). Valid as long as this object.
  kernels::ProductTables View(int layer, int tensor) const;

 private:
  OpqTables(int heads, int head_dim) : heads_(heads), head_dim_(head_dim) {}

  int heads_;
  int head_dim_;
  kernels::MemoryKind memory_ = kernels::MemoryKind::kHost;
  std::vector<kernels::ProductTables> views_;  // keys, values of every layer
  // One table after the other, here or there.
  std::vector<float> on_host_;
  kernels::DeviceBuffer on_device_;
};

}  // namespace qvg

#endif  // CACHE_CODEC_OPQ_TABLES_H_
