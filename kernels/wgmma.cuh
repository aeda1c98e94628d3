#ifndef KERNELS_WGMMA_CUH_
#define KERNELS_WGMMA_CUH_

#include <cstdint>

// Products of a warpgroup on the tensor cores: BF16 in, FP32 out. PTX ISA,
// "Asynchronous Warpgroup Level Matrix Multiply-Accumulate".
//
// Operands in shared memory are tiles of rows of 64 values (128 bytes),
// eight rows every 1024 bytes, starting at a multiple of that, with the 16-byte
// pieces of a row swizzled: piece c of row r lies at c ^ (r % 8). Longer rows
// are cut into such tiles, one after the other.
//
// Of a result m64nN thread t of the warpgroup holds, for j < N / 8, the values
// d[4j .. 4j+3] at rows r, r, r + 8, r + 8 and columns c, c + 1, c, c + 1 with
// r = 16 (t / 32) + t % 32 / 4 and c = 8 j + 2 (t % 4).
namespace qvg::kernels::device {

inline constexpr int kTileRow = 64;  // values

// Byte offset of piece `piece` (8 values) of row `row` in a tile.
__device__ constexpr uint32_t Swizzled(uint32_t row, uint32_t piece) {
  return row * 128 + ((piece ^ (row & 7)) << 4);
}

// A tile whose rows run along the sum (the K axis).
__device__ inline uint64_t RowsOperand(uint32_t address) {
  return uint64_t{(address & 0x3ffff) >> 4} | uint64_t{1} << 16 |
         uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}

// A tile whose rows run across it; tiles for the next 64 columns lie
// `tile_bytes` apart.
__device__ inline uint64_t ColumnsOperand(uint32_t address,
                                          uint32_t tile_bytes) {
  return uint64_t{(address & 0x3ffff) >> 4} | uint64_t{tile_bytes >> 4} << 16 |
         uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}

// Before the first product and after registers of one were written.
__device__ inline void FenceProducts() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void CommitProducts() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Until at most kPending committed groups are unfinished.
template <int kPending>
__device__ inline void WaitProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Keeps the compiler from moving accesses of registers that a product in
// flight writes.
template <int kCount>
__device__ inline void Pin(float* registers) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    asm volatile("" : "+f"(registers[i])::"memory");
  }
}

#define QVG_8(d, i)                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), \
      "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])

// d[64,N] = a[64,16] b[N,16]^T, plus d if `add`; both operands are
// RowsOperands.
template <int N>
__device__ void MultiplyShared(float* d, uint64_t a, uint64_t b, bool add);

template <>
__device__ inline void MultiplyShared<64>(float* d, uint64_t a, uint64_t b,
                                          bool add) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, p, 1, 1, 0, 0;\n"
      "}\n"
      : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24)
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

template <>
__device__ inline void MultiplyShared<128>(float* d, uint64_t a, uint64_t b,
                                           bool add) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63"
      "}, %64, %65, p, 1, 1, 0, 0;\n"
      "}\n"
      : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24), QVG_8(d, 32),
        QVG_8(d, 40), QVG_8(d, 48), QVG_8(d, 56)
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

// d[64,N] += a[64,16] b: thread t holds of a, as pairs of BF16, columns c, c +
// 1 of rows r and r + 8, then columns c + 8, c + 9; b is [16,N], a
// ColumnsOperand, or without kColumns [N,16]^T, a RowsOperand.
template <int N, bool kColumns = true>
__device__ inline void MultiplyRegisters(float* d, const uint32_t* a,
                                         uint64_t b) {
  constexpr int kTransposed = kColumns ? 1 : 0;
  static_assert(N == 64 || N == 128 || N == 256);
  if constexpr (N == 64) {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "setp.ne.b32 p, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
        "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31"
        "}, {%32, %33, %34, %35}, %36, p, 1, 1, %38;\n"
        "}\n"
        : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1),
          "n"(kTransposed));
  } else if constexpr (N == 128) {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "setp.ne.b32 p, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
        "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
        "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63"
        "}, {%64, %65, %66, %67}, %68, p, 1, 1, %70;\n"
        "}\n"
        : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24), QVG_8(d, 32),
          QVG_8(d, 40), QVG_8(d, 48), QVG_8(d, 56)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1),
          "n"(kTransposed));
  } else {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "setp.ne.b32 p, %133, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
        "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
        "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
        "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, "
        "%72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, "
        "%84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
        "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, "
        "%108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, "
        "%119, "
        "%120, %121, %122, %123, %124, %125, %126, %127"
        "}, {%128, %129, %130, %131}, %132, p, 1, 1, %134;\n"
        "}\n"
        : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24), QVG_8(d, 32),
          QVG_8(d, 40), QVG_8(d, 48), QVG_8(d, 56), QVG_8(d, 64), QVG_8(d, 72),
          QVG_8(d, 80), QVG_8(d, 88), QVG_8(d, 96), QVG_8(d, 104),
          QVG_8(d, 112), QVG_8(d, 120)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1),
          "n"(kTransposed));
  }
}

#undef QVG_8

}  // namespace qvg::kernels::device

#endif  // KERNELS_WGMMA_CUH_
