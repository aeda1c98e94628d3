#include "kernels/cuda_launch.h"
#include "kernels/decode_cuda.cuh"
#include "kernels/octet_cuda.cuh"
#include "kernels/residual_rows_cuda.h"

namespace qvg::kernels::internal {
namespace {

using device::kOctet;

constexpr int kThreads = kRowThreads;

// What stored codes stand for.
enum class Grid { kSymmetric, kMinMax, kFourLevels };

// What a kernel is made for: one stage of centroids; any number; any number and
// pointers that are not aligned.
enum class Path { kOneStage, kAnyStages, kUnaligned };

// Rows that a thread has in flight.
constexpr int UnrollOf(Path path) { return path == Path::kOneStage ? 4 : 2; }

template <int kBits, Path kPath>
__device__ uint32_t LoadCodes(const uint8_t* codes) {
  constexpr bool kAligned = kPath != Path::kUnaligned;
  if constexpr (kBits == 2) {
    return __byte_perm(kAligned ? *reinterpret_cast<const uint16_t*>(codes)
                                : codes[0] | codes[1] << 8,
                       0, 0x0144);
  } else if constexpr (kAligned) {
    return __byte_perm(*reinterpret_cast<const uint32_t*>(codes), 0, 0x0123);
  } else {
    return uint32_t{codes[0]} << 24 | codes[1] << 16 | codes[2] << 8 | codes[3];
  }
}

template <Path kPath>
__device__ uint4 LoadBFloat16Octet(const uint16_t* from) {
  if constexpr (kPath != Path::kUnaligned) {
    return __ldg(reinterpret_cast<const uint4*>(from));
  } else {
    const auto pair = [from](int i) {
      return from[i] | uint32_t{from[i + 1]} << 16;
    };
    return make_uint4(pair(0), pair(2), pair(4), pair(6));
  }
}

// The octet of a thread in all tokens of its head: where it lies in the first
// of them, and how far apart tokens are.
struct Source {
  __device__ Source(const PackedTensor& t, int head, int octet, int64_t token) {
    const CodecDescriptor& codec = t.codec;
    const int row_codes = codec.head_dim * codec.bits / 8;
    const int row_blocks = codec.head_dim / codec.block;
    const int64_t row = token * t.heads + head;
    const int64_t block = row * row_blocks + octet * kOctet / codec.block;
    codes = t.codes + row * row_codes + octet * codec.bits;
    scales = t.scales + block;
    zeros = t.zeros + block;
    ids = t.ids + head * t.tokens + token;
    centroids = t.centroids + int64_t{head} * codec.centroids * codec.head_dim +
                octet * kOctet;
    code_stride = t.heads * row_codes;
    block_stride = t.heads * row_blocks;
    id_stage = t.heads * t.tokens;
    centroid_stage = int64_t{t.heads} * codec.centroids * codec.head_dim;
    dim = codec.head_dim;
    stages = codec.stages;
  }

  const uint8_t* codes;
  const uint8_t* scales;
  const uint8_t* zeros;
  const uint8_t* ids;
  const uint16_t* centroids;
  int code_stride;
  int block_stride;
  int64_t id_stage;
  int64_t centroid_stage;
  int dim;
  int stages;
};

// What one octet of one row is made of.
struct Residual {
  uint32_t word;  // codes, the first in the highest bits
  uint8_t scale;
  uint8_t zero;
};

template <int kBits, Grid kGrid, Path kPath>
__device__ Residual LoadResidual(const Source& source, int64_t token) {
  Residual r;
  r.word = LoadCodes<kBits, kPath>(source.codes + token * source.code_stride);
  r.scale = source.scales[token * source.block_stride];
  r.zero =
      kGrid == Grid::kMinMax ? source.zeros[token * source.block_stride] : 0;
  return r;
}

template <Path kPath>
__device__ uint4 LoadCentroid(const Source& source, int stage, int64_t token) {
  const int id = source.ids[stage * source.id_stage + token];
  return LoadBFloat16Octet<kPath>(
      source.centroids + stage * source.centroid_stage + id * source.dim);
}

// Stored codes less `base`: set into the mantissa of 2^23, a code is a float
// that lies so far above it.
template <int kBits>
__device__ void CodesOf(uint32_t word, float base, float* out) {
  constexpr uint32_t kMask = (1u << kBits) - 1;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const uint32_t code = word >> (32 - kBits * (i + 1)) & kMask;
    out[i] = __uint_as_float(code | 0x4b000000u) - (0x1p23f + base);
  }
}

__device__ void FourLevels(uint32_t word, uint8_t pattern, float* out) {
  const float scale = device::E4M3(pattern & 0x7f);
  const float inner = FourLevelRatio(pattern) * scale;
  CodesOf<2>(word, 0, out);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const float centred = out[i] - 1.5f;
    out[i] = copysignf(fabsf(centred) > 1 ? scale : inner, centred);
  }
}

template <int kBits, Grid kGrid>
__device__ void Dequantize(const Residual& r, float* out) {
  if constexpr (kGrid == Grid::kFourLevels) {
    FourLevels(r.word, r.scale, out);
  } else {
    constexpr bool kSymmetric = kGrid == Grid::kSymmetric;
    const float scale = device::E4M3(r.scale);
    CodesOf<kBits>(r.word, kSymmetric ? (1 << (kBits - 1)) - 1 : 0, out);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) out[i] *= scale;
    if constexpr (!kSymmetric) {
      const float zero = device::E4M3(r.zero);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) out[i] = __fadd_rn(out[i], zero);
    }
  }
}

__device__ void AddOctet(uint4 bits, float* out) {
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = device::BFloat16Pair(words[i]);
    out[2 * i] += pair.x;
    out[2 * i + 1] += pair.y;
  }
}

// What a thread loads of some rows before it needs any of it.
template <int kCount>
struct Batch {
  Residual residual[kCount];
  uint8_t ids[kCount];  // of the first stage
};

// Rows [token, ...) `step` tokens apart, those past `last` again the last.
template <int kBits, Grid kGrid, Path kPath, int kCount>
__device__ Batch<kCount> LoadBatch(const Source& source, int64_t token,
                                   int step, int64_t last) {
  Batch<kCount> batch;
#pragma unroll
  for (int u = 0; u < kCount; ++u) {
    const int64_t at = min(token + u * step, last);
    batch.residual[u] = LoadResidual<kBits, kGrid, kPath>(source, at);
    if (kPath == Path::kOneStage) batch.ids[u] = source.ids[at];
  }
  return batch;
}

template <int kBits, Grid kGrid, Path kPath, int kCount>
__device__ void StoreBatch(const Source& source, const Batch<kCount>& batch,
                           int64_t token, int step, int64_t last,
                           uint16_t* out) {
  constexpr bool kOne = kPath == Path::kOneStage;
  uint4 centroid[kCount];
#pragma unroll
  for (int u = 0; kOne && u < kCount; ++u) {
    centroid[u] =
        LoadBFloat16Octet<kPath>(source.centroids + batch.ids[u] * source.dim);
  }
#pragma unroll
  for (int u = 0; u < kCount; ++u) {
    const int64_t at = token + u * step;
    if (at > last) break;
    float values[kOctet];
    Dequantize<kBits, kGrid>(batch.residual[u], values);
    if constexpr (kOne) {
      AddOctet(centroid[u], values);
    } else {
      for (int s = 0; s < source.stages; ++s) {
        AddOctet(LoadCentroid<kPath>(source, s, at), values);
      }
    }
    device::StoreOctet(values, out + at * source.dim);
  }
}

// One thread per octet; a block stays with one head, so that its centroids
// stay in L1. With one stage the next rows are on their way while these are
// decoded; with more, the registers are better used otherwise.
template <int kBits, Grid kGrid, Path kPath>
__global__ __launch_bounds__(kThreads, 2) void DecodeResidualKernel(
    const __grid_constant__ PackedTensor t, RowRange range, uint16_t* out) {
  constexpr int kUnroll = UnrollOf(kPath);
  const int octets = t.codec.head_dim / kOctet;
  const int octet = threadIdx.x & (octets - 1);
  const int step = kThreads / octets;
  const int head = blockIdx.y;
  const Source source(t, head, octet, range.first);
  uint16_t* to = out + head * range.tokens * t.codec.head_dim + octet * kOctet;
  const int64_t begin = blockIdx.x * range.share;
  const int64_t last = min(range.tokens, begin + range.share) - 1;
  int64_t token = begin + threadIdx.x / octets;
  auto batch =
      LoadBatch<kBits, kGrid, kPath, kUnroll>(source, token, step, last);
  for (; token <= last; token += kUnroll * step) {
    const auto load_next = [&] {
      return LoadBatch<kBits, kGrid, kPath, kUnroll>(
          source, token + kUnroll * step, step, last);
    };
    if constexpr (kPath == Path::kOneStage) {
      const auto next = load_next();
      StoreBatch<kBits, kGrid, kPath>(source, batch, token, step, last, to);
      batch = next;
    } else {
      StoreBatch<kBits, kGrid, kPath>(source, batch, token, step, last, to);
      batch = load_next();
    }
  }
}

// One call of DecodeResidualRowsCuda.
struct Call {
  const PackedTensor& tensor;
  const RowRange& range;
  const dim3& grid;
  uint16_t* out;
  CudaStream stream;
};

template <int kBits, Grid kGrid, Path kPath>
void Launch(const Call& call) {
  DecodeResidualKernel<kBits, kGrid, kPath>
      <<<call.grid, kThreads, 0, call.stream>>>(call.tensor, call.range,
                                                call.out);
}

template <int kBits, Grid kGrid>
void LaunchPath(const Call& call) {
  const PackedTensor& t = call.tensor;
  if (!IsAligned(t.codes, 4) || !IsAligned(t.centroids, 16)) {
    Launch<kBits, kGrid, Path::kUnaligned>(call);
  } else if (t.codec.stages == 1) {
    Launch<kBits, kGrid, Path::kOneStage>(call);
  } else {
    Launch<kBits, kGrid, Path::kAnyStages>(call);
  }
}

}  // namespace

void DecodeResidualRowsCuda(const PackedTensor& tensor, const RowRange& range,
                            const dim3& grid, uint16_t* out,
                            CudaStream stream) {
  const CodecDescriptor& codec = tensor.codec;
  const Call call = {tensor, range, grid, out, stream};
  if (codec.bits == 4) {
    codec.asymmetric ? LaunchPath<4, Grid::kMinMax>(call)
                     : LaunchPath<4, Grid::kSymmetric>(call);
  } else if (codec.four_levels) {
    LaunchPath<2, Grid::kFourLevels>(call);
  } else {
    codec.asymmetric ? LaunchPath<2, Grid::kMinMax>(call)
                     : LaunchPath<2, Grid::kSymmetric>(call);
  }
}

}  // namespace qvg::kernels::internal
