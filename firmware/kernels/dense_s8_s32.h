/* Fully connected layer on a tensor of length 1, whose output is the accumulator: a 32-bit score.
 *
 *     y[o] = bias[o] + sum over i of w[o][i] * x[i]
 *
 * x        int8  [inputs]
 * weights  int8  [outputs][inputs], the order of the inner loop
 * bias     int32 [outputs]; holds -input_zero_point * sum(weights of the output)
 * output   int32 [outputs], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     |bias| + 128 * sum|w| < 2^31 per output, which the generator proves.
 */
#ifndef TG_KERNELS_DENSE_S8_S32_H
#define TG_KERNELS_DENSE_S8_S32_H

#include "shape.h"

TG_INLINE void tg_dense_s8_s32_scalar(tg_dense s, const int8_t *restrict x, const int8_t *restrict weights,
                                      const int32_t *restrict bias, tg_s32 *restrict output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc = bias[o];
        for (int32_t i = 0; i < s.inputs; i++) {
            acc += weights[o * s.inputs + i] * x[i];
        }
        output[o] = acc;
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/dense_s8_s32.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/dense_s8_s32.h"
#else
TG_INLINE void tg_dense_s8_s32(tg_dense s, const int8_t *restrict x, const int8_t *restrict weights,
                               const int32_t *restrict bias, tg_s32 *restrict output)
{
    tg_dense_s8_s32_scalar(s, x, weights, bias, output);
}
#endif

#endif
