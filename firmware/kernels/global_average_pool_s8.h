/* Mean over length of every channel.
 *
 *     acc[c] = sum over t of (x[t][c] - input_zero_point)
 *     y[c]   = requantize(acc[c], multiplier)          the multiplier holds 1 / length
 *
 * x       int8 [length][channels]
 * output  int8 [channels], apart from x or at the same address
 *
 * Alignment  none.
 * Assumes    255 * length < 2^31.
 */
#ifndef TG_KERNELS_GLOBAL_AVERAGE_POOL_S8_H
#define TG_KERNELS_GLOBAL_AVERAGE_POOL_S8_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_global_average_pool_s8_scalar(tg_global_average_pool s, tg_codes y, const int8_t *x,
                                                float multiplier, int8_t *output)
{
    for (int32_t c = 0; c < s.channels; c++) {
        int32_t acc = -s.length * s.input_zero_point;
        for (int32_t t = 0; t < s.length; t++) {
            acc += x[t * s.channels + c];
        }
        output[c] = tg_requantize_s8(acc, multiplier, y);
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/global_average_pool_s8.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/global_average_pool_s8.h"
#else
TG_INLINE void tg_global_average_pool_s8(tg_global_average_pool s, tg_codes y, const int8_t *x,
                                         float multiplier, int8_t *output)
{
    tg_global_average_pool_s8_scalar(s, y, x, multiplier, output);
}
#endif

#endif
