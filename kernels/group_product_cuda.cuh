#ifndef KERNELS_GROUP_PRODUCT_CUDA_CUH_
#define KERNELS_GROUP_PRODUCT_CUDA_CUH_

#include <cstdint>

namespace qvg::kernels::device {

#define QVG_8(d, i)                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), \
      "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])

// d[64,128] += a[64,16] b[128,16]^T by a warpgroup, a from registers (PTX ISA,
// "Asynchronous Warpgroup Level Matrix Multiply-Accumulate").
__device__ inline void MultiplyGroup(float* d, const uint32_t* a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63"
      "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 0;\n"
      : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24), QVG_8(d, 32),
        QVG_8(d, 40), QVG_8(d, 48), QVG_8(d, 56)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#undef QVG_8

}  // namespace qvg::kernels::device

#endif  // KERNELS_GROUP_PRODUCT_CUDA_CUH_
