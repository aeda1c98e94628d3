#ifndef KERNELS_CUDA_STREAM_H_
#define KERNELS_CUDA_STREAM_H_

struct CUstream_st;

namespace qvg::kernels {

// cudaStream_t, without CUDA's headers. Functions that take one are named
// ...Cuda: all pointers in their arguments are device memory, arrays of
// arguments excepted; work is enqueued and not waited for. They are
// kUnimplemented in builds without CUDA and on devices before compute
// capability 9.0.
using CudaStream = CUstream_st*;

}  // namespace qvg::kernels

#endif  // KERNELS_CUDA_STREAM_H_
