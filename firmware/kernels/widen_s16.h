/* The int8 input codes as int16: the same real values at a 256th of the scale.
 *
 *     y[i] = x[i] * 2^8
 *
 * x       int8  [count]
 * output  int16 [count], not overlapping x
 *
 * Alignment  none beyond that of the element types.
 * Assumes    the zero point of x is 0.
 */
#ifndef TG_KERNELS_WIDEN_S16_H
#define TG_KERNELS_WIDEN_S16_H

#include "shape.h"

TG_INLINE void tg_widen_s16(tg_widen s, const int8_t *restrict x, tg_s16 *restrict output)
{
    for (int32_t i = 0; i < s.count; i++) {
        output[i] = (int16_t)(x[i] * 256);
    }
}

#endif
