#ifndef SERVER_GENERATOR_TINYWORLD_NORMAL_PAIR_H_
#define SERVER_GENERATOR_TINYWORLD_NORMAL_PAIR_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "server/generator/tinyworld/host_device.h"

// Normal values of which the host and a device compute the same bits: nothing
// but IEEE sums, products and roots, which whoever includes this must compile
// without contraction (-ffp-contract=off, --fmad=false).
namespace qvg::tinyworld {

// Natural logarithm, x normal and positive: the polynomial of Cephes' logf
// (Moshier), within 2 ulp.
QVG_HOST_DEVICE inline float PortableLog(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  int exponent = static_cast<int>(bits >> 23) - 126;
  bits = (bits & 0x7fffffu) | 0x3f000000u;
  float m;  // [0.5, 1)
  memcpy(&m, &bits, sizeof(m));
  const bool low = m < 0.707106781186547524f;
  exponent -= low ? 1 : 0;
  m = low ? m + m - 1 : m - 1;
  const float coefficients[] = {
      7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
      -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
      2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  float sum = coefficients[0];
  for (int i = 1; i < 9; ++i) sum = sum * m + coefficients[i];
  const float square = m * m;
  const float e = static_cast<float>(exponent);
  const float tail = sum * m * square + e * -2.12194440e-4f;
  return (m + (tail - 0.5f * square)) + e * 0.693359375f;
}

// Sine and cosine of `turn` / 2^24 of a full turn, turn in [0, 2^24): the
// polynomials of Cephes' sinf and cosf on an eighth of a turn, within 2 ulp of
// 1.
QVG_HOST_DEVICE inline void PortableSinCos(int32_t turn, float* sine,
                                           float* cosine) {
  const int32_t quarter = (turn + (1 << 21)) >> 22;
  const float x = static_cast<float>(turn - (quarter << 22)) *
                  (6.28318530717958648f * 0x1p-24f);
  const float z = x * x;
  const float s =
      ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z *
          x +
      x;
  const float c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z +
                   4.166664568298827e-2f) *
                      z * z -
                  0.5f * z + 1;
  const bool swap = (quarter & 1) != 0;
  *sine = (quarter & 2) != 0 ? -(swap ? c : s) : (swap ? c : s);
  *cosine = ((quarter + 1) & 2) != 0 ? -(swap ? s : c) : (swap ? s : c);
}

// Box and Muller (1958): two independent normal values from 64 random bits.
QVG_HOST_DEVICE inline void NormalPair(uint64_t bits, float* first,
                                       float* second) {
  const float u = (static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f;
  const float radius = sqrtf(-2 * PortableLog(u));
  PortableSinCos(static_cast<int32_t>(bits & 0xffffff), second, first);
  *first *= radius;
  *second *= radius;
}

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_NORMAL_PAIR_H_
