/* Mean over length of every channel, in float32.
 *
 *     acc[c] = 0 + x[0][c] + x[1][c] + ...             one position after another, every sum rounded
 *     y[c]   = clip(acc[c] * multiplier, y.min, y.max) the multiplier is float32(1 / length)
 *
 * x       float [length][channels]
 * output  float [channels], apart from x or at the same address
 *
 * Alignment  none beyond that of the element types.
 * Assumes    compiled without -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_GLOBAL_AVERAGE_POOL_F32_H
#define TG_KERNELS_GLOBAL_AVERAGE_POOL_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_global_average_pool_f32(tg_global_average_pool s, tg_range y, const tg_f32 *x,
                                          float multiplier, tg_f32 *output)
{
    for (int32_t c = 0; c < s.channels; c++) {
        float acc = 0.0f;
        for (int32_t t = 0; t < s.length; t++) {
            tg_scalar();
            acc += x[t * s.channels + c];
        }
        output[c] = tg_clip_f32(acc * multiplier, y);
    }
}

#endif
