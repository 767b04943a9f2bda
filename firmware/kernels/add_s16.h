/* The sum of two tensors of one shape, each of its own scale.
 *
 *     y[i] = clip(rint(fma(a[i], multiplier_a, fma(b[i], multiplier_b, offset))), y.min, y.max)
 *
 * with fma(u, v, w) = u * v + w rounded once. The offset holds all zero points: it is 0 in int16.
 *
 * a, b    int16 [count]
 * output  int16 [count]; may be a or b
 *
 * Alignment  none beyond that of the element type.
 * Assumes    multipliers within a factor of 2^12 of each other and of 1 if that is larger, which the generator checks;
 *            compiled with -ffp-contract=off and without -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_ADD_S16_H
#define TG_KERNELS_ADD_S16_H

#include "fma.h"
#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_add_s16_scalar(tg_elements s, tg_codes y, const tg_s16 *a, const tg_s16 *b, float multiplier_a,
                                 float multiplier_b, float offset, tg_s16 *output)
{
    for (int32_t i = 0; i < s.count; i++) {
        const float value = tg_fma((float)a[i], multiplier_a, tg_fma((float)b[i], multiplier_b, offset));
        output[i] = (int16_t)tg_nearest_code(value, y);
    }
}

/* The fastest way on this core, with the same results. */
#if defined(__ARM_FEATURE_DSP)
#include "dsp/add_s16.h"
#else
TG_INLINE void tg_add_s16(tg_elements s, tg_codes y, const tg_s16 *a, const tg_s16 *b, float multiplier_a,
                          float multiplier_b, float offset, tg_s16 *output)
{
    tg_add_s16_scalar(s, y, a, b, multiplier_a, multiplier_b, offset, output);
}
#endif

#endif
