/* The mean under a window, over length or over height and length; padding counts as zeros.
 *
 *     acc[h][t][c] = 0 + float32(q - input_zero_point) * scale + ...              over the taps inside
 *     y[h][t][c]   = clip(rint(acc / taps / output_scale + y.zero_point), y.min, y.max)
 *
 * with q = x[h * stride_height - pad_top + k][t * stride_length - pad_left + j][c], by k and then by j, and taps =
 * kernel_height * kernel_length; every operation is rounded to float32.
 *
 * x       int8 [input_height][input_length][channels]
 * output  int8 [output_height][output_length][channels]; may be x if no window begins before its output
 *
 * Alignment   none beyond that of the element type.
 * Assumes     scales of normal size; compiled with -ffp-contract=off and without -ffast-math; the default rounding
 *             mode.
 * Guarantees  reads no element outside x.
 */
#ifndef TG_KERNELS_AVERAGE_POOL_S8_H
#define TG_KERNELS_AVERAGE_POOL_S8_H

#include "float32.h"
#include "requantize.h"
#include "shape.h"

TG_INLINE float tg_sum_under_s8(tg_pool s, tg_window w, const int8_t *x, float scale, int32_t channel)
{
    float acc = 0.0f;
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int32_t code = x[(w.origin + k * s.input_length + j) * s.channels + channel];
            tg_scalar();
            acc += (float)(code - s.input_zero_point) * scale;
        }
    }
    return acc;
}

TG_INLINE void tg_average_pool_s8_scalar(tg_pool s, tg_codes y, const int8_t *x, float scale, float taps,
                                         float output_scale, int8_t *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            for (int32_t c = 0; c < s.channels; c++) {
                const float mean = tg_sum_under_s8(s, w, x, scale, c) / taps / output_scale;
                int8_t *code = &output[(h * s.output_length + t) * s.channels + c];
                *code = (int8_t)tg_nearest_code(mean + (float)y.zero_point, y);
            }
        }
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/average_pool_s8.h"
#else
TG_INLINE void tg_average_pool_s8(tg_pool s, tg_codes y, const int8_t *x, float scale, float taps,
                                  float output_scale, int8_t *output)
{
    tg_average_pool_s8_scalar(s, y, x, scale, taps, output_scale, output);
}
#endif

#endif
