/* A table for each code on Helium: sixteen codes at a time, gathered. */
#ifndef TG_KERNELS_HELIUM_LOOKUP_S8_H
#define TG_KERNELS_HELIUM_LOOKUP_S8_H

#include "vectors_s8.h"

TG_INLINE void tg_lookup_s8(tg_elements s, const int8_t *x, const int8_t *table, int8_t *output)
{
    const uint8x16_t from_lowest = vdupq_n_u8(128); /* code + 128 as an offset */
    for (int32_t i = 0; i < s.count; i += 16) {
        const mve_pred16_t left = tg_first_bytes(s.count - i);
        const uint8x16_t offsets = veorq_u8(vreinterpretq_u8_s8(vldrbq_z_s8(&x[i], left)), from_lowest);
        tg_store_first_s8(&output[i], vldrbq_gather_offset_s8(table, offsets), s.count - i);
    }
}

#endif
