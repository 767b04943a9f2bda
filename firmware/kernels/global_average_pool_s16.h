/* Mean over length of every channel.
 *
 *     acc[c] = sum over t of x[t][c]
 *     y[c]   = requantize(acc[c], multiplier)          the multiplier holds 1 / length
 *
 * x       int16 [length][channels]
 * output  int16 [channels], apart from x or at the same address
 *
 * Alignment  none beyond that of the element types.
 * Assumes    32768 * length < 2^31.
 */
#ifndef TG_KERNELS_GLOBAL_AVERAGE_POOL_S16_H
#define TG_KERNELS_GLOBAL_AVERAGE_POOL_S16_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_global_average_pool_s16(tg_global_average_pool s, tg_codes y, const tg_s16 *x,
                                          float multiplier, tg_s16 *output)
{
    for (int32_t c = 0; c < s.channels; c++) {
        int32_t acc = 0;
        for (int32_t t = 0; t < s.length; t++) {
            acc += x[t * s.channels + c];
        }
        output[c] = tg_requantize_s16(acc, multiplier, y);
    }
}

#endif
