/* Fully connected layer on a tensor of length 1.
 *
 *     acc[o] = bias[o] + sum over i of w[o][i] * x[i]
 *     y[o]   = requantize(acc[o], multiplier[o])
 *
 * x           int16 [inputs]
 * weights     int8  [outputs][inputs], the order of the inner loop
 * bias        int32 [outputs]
 * multiplier  float [outputs]
 * output      int16 [outputs], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     |bias| + 32768 * sum|w| < 2^31 per output, which the generator proves.
 */
#ifndef TG_KERNELS_DENSE_S16_H
#define TG_KERNELS_DENSE_S16_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_dense_s16_scalar(tg_dense s, tg_codes y, const tg_s16 *restrict x, const int8_t *restrict weights,
                                   const int32_t *restrict bias, const float *restrict multiplier,
                                   tg_s16 *restrict output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc = bias[o];
        for (int32_t i = 0; i < s.inputs; i++) {
            acc += weights[o * s.inputs + i] * x[i];
        }
        output[o] = tg_requantize_s16(acc, multiplier[o], y);
    }
}

/* The fastest way on this core, with the same results. */
#if defined(__ARM_FEATURE_DSP)
#include "dsp/dense_s16.h"
#else
TG_INLINE void tg_dense_s16(tg_dense s, tg_codes y, const tg_s16 *restrict x, const int8_t *restrict weights,
                            const int32_t *restrict bias, const float *restrict multiplier, tg_s16 *restrict output)
{
    tg_dense_s16_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
