/* The int8 input codes as the real values they stand for.
 *
 *     y[i] = float32(x[i]) * multiplier               the multiplier is the scale of x
 *
 * x       int8  [count]
 * output  float [count], not overlapping x
 *
 * Alignment  none beyond that of the element types.
 * Assumes    the zero point of x is 0; compiled without -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_WIDEN_F32_H
#define TG_KERNELS_WIDEN_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_widen_f32(tg_widen s, const int8_t *restrict x, float multiplier, tg_f32 *restrict output)
{
    for (int32_t i = 0; i < s.count; i++) {
        tg_scalar();
        output[i] = (float)x[i] * multiplier;
    }
}

#endif
