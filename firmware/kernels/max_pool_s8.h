/* The largest value under a window, over length or over height and length; padding never counts.
 *
 *     y[h][t][c] = max over k, j inside of x[h * stride_height - pad_top + k][t * stride_length - pad_left + j][c]
 *
 * x       int8 [input_height][input_length][channels]
 * output  int8 [output_height][output_length][channels]; may be x if no window begins before its output; of the same scale
 *
 * Alignment   none beyond that of the element type.
 * Assumes     every window has at least one tap inside.
 * Guarantees  reads no element outside x.
 */
#ifndef TG_KERNELS_MAX_POOL_S8_H
#define TG_KERNELS_MAX_POOL_S8_H

#include "shape.h"

TG_INLINE int8_t tg_max_under_s8(tg_pool s, tg_window w, const int8_t *x, int32_t channel)
{
    int8_t largest = INT8_MIN;
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int8_t value = x[(w.origin + k * s.input_length + j) * s.channels + channel];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

TG_INLINE void tg_max_pool_s8_scalar(tg_pool s, const int8_t *x, int8_t *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            for (int32_t c = 0; c < s.channels; c++) {
                output[(h * s.output_length + t) * s.channels + c] = tg_max_under_s8(s, w, x, c);
            }
        }
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/max_pool_s8.h"
#else
TG_INLINE void tg_max_pool_s8(tg_pool s, const int8_t *x, int8_t *output)
{
    tg_max_pool_s8_scalar(s, x, output);
}
#endif

#endif
