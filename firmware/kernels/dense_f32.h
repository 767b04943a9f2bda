/* Fully connected layer on a tensor of length 1, in float32.
 *
 *     acc[o] = bias[o] + w[o][0] * x[0] + w[o][1] * x[1] + ...
 *     y[o]   = clip(acc[o], y.min, y.max)
 *
 * The sum starts at the bias and adds one input after another; every product and every sum is rounded.
 *
 * x        float [inputs]
 * weights  float [outputs][inputs], the order of the inner loop
 * bias     float [outputs]
 * output   float [outputs], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     finite constants; compiled with -ffp-contract=off and without -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_DENSE_F32_H
#define TG_KERNELS_DENSE_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_dense_f32(tg_dense s, tg_range y, const tg_f32 *restrict x, const float *restrict weights,
                            const float *restrict bias, tg_f32 *restrict output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        float acc = bias[o];
        for (int32_t i = 0; i < s.inputs; i++) {
            tg_scalar();
            acc += weights[o * s.inputs + i] * x[i];
        }
        output[o] = tg_clip_f32(acc, y);
    }
}

#endif
