/* The mean under a window, over length or over height and length; padding counts as zeros.
 *
 *     acc[h][t][c] = 0 + x[h * stride_height - pad_top + k][t * stride_length - pad_left + j][c] + ...
 *     y[h][t][c]   = clip(acc * multiplier, y.min, y.max)               the multiplier is float32(1 / taps)
 *
 * over the taps inside, by k and then by j; every sum is rounded.
 *
 * x       float [input_height][input_length][channels]
 * output  float [output_height][output_length][channels]; may be x if no window begins before its output
 *
 * Alignment   none beyond that of the element type.
 * Assumes     compiled without -ffast-math; the default rounding mode.
 * Guarantees  reads no element outside x.
 */
#ifndef TG_KERNELS_AVERAGE_POOL_F32_H
#define TG_KERNELS_AVERAGE_POOL_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE float tg_sum_under_f32(tg_pool s, tg_window w, const tg_f32 *x, int32_t channel)
{
    float acc = 0.0f;
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            tg_scalar();
            acc += x[(w.origin + k * s.input_length + j) * s.channels + channel];
        }
    }
    return acc;
}

TG_INLINE void tg_average_pool_f32(tg_pool s, tg_range y, const tg_f32 *x, float multiplier,
                                   tg_f32 *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            for (int32_t c = 0; c < s.channels; c++) {
                const float acc = tg_sum_under_f32(s, w, x, c);
                output[(h * s.output_length + t) * s.channels + c] = tg_clip_f32(acc * multiplier, y);
            }
        }
    }
}

#endif
