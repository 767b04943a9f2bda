/* Fully connected layer on a tensor of length 1.
 *
 *     acc[o] = bias[o] + sum over i of w[o][i] * x[i]
 *     y[o]   = requantize(acc[o], multiplier[o])
 *
 * x           int8  [inputs]
 * weights     int8  [outputs][inputs], the order of the inner loop
 * bias        int32 [outputs]; holds -input_zero_point * sum(weights of the output)
 * multiplier  float [outputs]
 * output      int8  [outputs], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     |bias| + 128 * sum|w| < 2^31 per output, which the generator proves.
 */
#ifndef TG_KERNELS_DENSE_S8_H
#define TG_KERNELS_DENSE_S8_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_dense_s8_scalar(tg_dense s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                                  const int32_t *restrict bias, const float *restrict multiplier,
                                  int8_t *restrict output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc = bias[o];
        for (int32_t i = 0; i < s.inputs; i++) {
            acc += weights[o * s.inputs + i] * x[i];
        }
        output[o] = tg_requantize_s8(acc, multiplier[o], y);
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/dense_s8.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/dense_s8.h"
#else
TG_INLINE void tg_dense_s8(tg_dense s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                           const int32_t *restrict bias, const float *restrict multiplier, int8_t *restrict output)
{
    tg_dense_s8_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
