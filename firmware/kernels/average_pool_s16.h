/* The mean under a window, over length or over height and length; padding counts as zeros.
 *
 *     acc[h][t][c] = sum over k, j inside of x[h * stride_height - pad_top + k][t * stride_length - pad_left + j][c]
 *     y[h][t][c]   = requantize(acc[h][t][c], multiplier)
 *
 * x       int16 [input_height][input_length][channels]
 * output  int16 [output_height][output_length][channels]; may be x if no window begins before its output
 *
 * Alignment   none beyond that of the element type.
 * Assumes     32768 * kernel_height * kernel_length < 2^31, which the generator proves.
 * Guarantees  reads no element outside x.
 */
#ifndef TG_KERNELS_AVERAGE_POOL_S16_H
#define TG_KERNELS_AVERAGE_POOL_S16_H

#include "requantize.h"
#include "shape.h"

TG_INLINE int32_t tg_sum_under_s16(tg_pool s, tg_window w, const tg_s16 *x, int32_t channel)
{
    int32_t acc = 0;
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            acc += x[(w.origin + k * s.input_length + j) * s.channels + channel];
        }
    }
    return acc;
}

TG_INLINE void tg_average_pool_s16(tg_pool s, tg_codes y, const tg_s16 *x, float multiplier,
                                   tg_s16 *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            for (int32_t c = 0; c < s.channels; c++) {
                const int32_t acc = tg_sum_under_s16(s, w, x, c);
                output[(h * s.output_length + t) * s.channels + c] = tg_requantize_s16(acc, multiplier, y);
            }
        }
    }
}

#endif
