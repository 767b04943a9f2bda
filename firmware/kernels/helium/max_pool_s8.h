/* The largest value under a window on Helium: sixteen channels at a time. */
#ifndef TG_KERNELS_HELIUM_MAX_POOL_S8_H
#define TG_KERNELS_HELIUM_MAX_POOL_S8_H

#include "vectors_s8.h"

TG_INLINE void tg_max_channels_s8(tg_pool s, tg_window w, const int8_t *x, int8_t *output, int32_t count)
{
    const mve_pred16_t lanes = tg_first_bytes(count);
    int8x16_t largest = vdupq_n_s8(INT8_MIN);
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int8_t *codes = &x[(w.origin + k * s.input_length + j) * s.channels];
            largest = vmaxq_s8(largest, count == 16 ? vldrbq_s8(codes) : vldrbq_z_s8(codes, lanes));
        }
    }
    tg_store_first_s8(output, largest, count);
}

TG_INLINE void tg_max_pool_s8(tg_pool s, const int8_t *x, int8_t *output)
{
    const int32_t whole = s.channels / 16 * 16;
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            int8_t *codes = &output[(h * s.output_length + t) * s.channels];
            for (int32_t c = 0; c < whole; c += 16) {
                tg_max_channels_s8(s, w, &x[c], &codes[c], 16);
            }
            if (whole < s.channels) {
                tg_max_channels_s8(s, w, &x[whole], &codes[whole], s.channels - whole);
            }
        }
    }
}

#endif
