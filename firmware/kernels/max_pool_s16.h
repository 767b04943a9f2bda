/* The largest value under a window, over length or over height and length; padding never counts.
 *
 *     y[h][t][c] = max over k, j inside of x[h * stride_height - pad_top + k][t * stride_length - pad_left + j][c]
 *
 * x       int16 [input_height][input_length][channels]
 * output  int16 [output_height][output_length][channels]; may be x if no window begins before its output; of the same scale
 *
 * Alignment   none beyond that of the element type.
 * Assumes     every window has at least one tap inside.
 * Guarantees  reads no element outside x.
 */
#ifndef TG_KERNELS_MAX_POOL_S16_H
#define TG_KERNELS_MAX_POOL_S16_H

#include "shape.h"

TG_INLINE int16_t tg_max_under_s16(tg_pool s, tg_window w, const tg_s16 *x, int32_t channel)
{
    int16_t largest = INT16_MIN;
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int16_t value = x[(w.origin + k * s.input_length + j) * s.channels + channel];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

TG_INLINE void tg_max_pool_s16(tg_pool s, const tg_s16 *x, tg_s16 *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            for (int32_t c = 0; c < s.channels; c++) {
                output[(h * s.output_length + t) * s.channels + c] = tg_max_under_s16(s, w, x, c);
            }
        }
    }
}

#endif
