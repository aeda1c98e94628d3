#ifndef KERNELS_HOPPER_CUH_
#define KERNELS_HOPPER_CUH_

#include <cstdint>

// The instructions of sm_90a that C++ has no name for. PTX ISA 8.0, sections
// on mbarrier, cp.async.bulk, fences and setmaxnreg.
namespace qvg::kernels::device {

__device__ inline uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// A barrier in shared memory that counts arrivals and bytes of bulk copies.
using Mbarrier = uint64_t;

__device__ inline void Init(Mbarrier* barrier, int arrivals) {
  asm volatile(
      "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(SharedAddress(barrier)),
      "r"(arrivals));
}

// After the Init of all barriers, before the barrier of the block.
__device__ inline void FenceInit() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ inline void Arrive(Mbarrier* barrier) {
  asm volatile(
      "mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(SharedAddress(barrier))
      : "memory");
}

// Arrives, and makes the phase wait for so many bytes.
__device__ inline void ArriveExpecting(Mbarrier* barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   SharedAddress(barrier)),
               "r"(bytes)
               : "memory");
}

// Until the phase of that parity is over. A new barrier counts as after one of
// parity 1.
__device__ inline void Wait(Mbarrier* barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra ready;\n"
      "bra again;\n"
      "ready:\n"
      "}\n" ::"r"(SharedAddress(barrier)),
      "r"(parity)
      : "memory");
}

// Starts a copy of `bytes` (a multiple of 16) from device to shared memory.
__device__ inline void BulkCopy(void* to, const void* from, uint32_t bytes,
                                Mbarrier* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1], %2, [%3];" ::"r"(SharedAddress(to)),
      "l"(from), "r"(bytes), "r"(SharedAddress(barrier))
      : "memory");
}

// Between ordinary accesses and those of the copy engine or tensor cores.
__device__ inline void FenceProxyShared() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void FenceProxyGlobal() {
  asm volatile("fence.proxy.async.global;" ::: "memory");
}

// One of the block's 16 barriers, for `threads` of its threads.
__device__ inline void Sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Counts as in Sync, without waiting.
__device__ inline void SyncArrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// 2^x, of a subnormal result 0.
__device__ inline float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <int kRegisters>
__device__ inline void ShrinkRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void GrowRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

__device__ inline uint32_t LoadAcquire(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
               : "=r"(value)
               : "l"(from)
               : "memory");
  return value;
}

// Neither orders anything: what comes before is fenced, or is over.
__device__ inline void StoreRelaxed(uint32_t* to, uint32_t value) {
  asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(value)
               : "memory");
}

__device__ inline void AddRelaxed(uint32_t* to, uint32_t value) {
  asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(to), "r"(value)
               : "memory");
}

// Until *from has come to `value`, in the order of wrapping integers.
__device__ inline void WaitFor(const uint32_t* from, uint32_t value) {
  while (static_cast<int32_t>(LoadAcquire(from) - value) < 0) __nanosleep(32);
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_HOPPER_CUH_
