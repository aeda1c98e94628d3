#ifndef KERNELS_PACK_CODES_H_
#define KERNELS_PACK_CODES_H_

#include <algorithm>
#include <cstdint>

namespace qvg::kernels::internal {

// Packs `count` stored codes of `bits` bits (2 or 4), first in the highest
// bits; count is a multiple of 8 / bits.
inline void PackBits(const uint8_t* stored, int count, int bits,
                     uint8_t* codes) {
  const int per_byte = 8 / bits;
  std::fill_n(codes, count / per_byte, uint8_t{0});
  for (int i = 0; i < count; ++i) {
    const int shift = 8 - bits * (i % per_byte + 1);
    codes[i / per_byte] |= static_cast<uint8_t>(stored[i] << shift);
  }
}

// Packs two-bit codes below 3 of `dim` channels as trits (Trit), zeros after
// the last.
inline void PackTrits(const uint8_t* two_bits, int dim, uint8_t* codes) {
  for (int first = 0; first < dim; first += 5) {
    int number = 0;
    for (int i = first; i < first + 5; ++i) {
      const int code = i < dim ? two_bits[i / 4] >> (6 - 2 * (i % 4)) & 3 : 0;
      number = 3 * number + code;
    }
    codes[first / 5] = static_cast<uint8_t>((number * 256 + 242) / 243);
  }
}

}  // namespace qvg::kernels::internal

#endif  // KERNELS_PACK_CODES_H_
