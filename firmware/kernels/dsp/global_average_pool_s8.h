/* Mean over length (kernels/global_average_pool_s8.h) on the DSP extension: four channels at a time.
 *
 * The sums of 256 codes fit int16, so two channels share a register for as long. Channels that a last group lacks are
 * summed as 0 and not stored.
 */
#ifndef TG_KERNELS_DSP_GLOBAL_AVERAGE_POOL_S8_H
#define TG_KERNELS_DSP_GLOBAL_AVERAGE_POOL_S8_H

#include "kernels/dsp/lanes.h"
#include "kernels/dsp/requantize.h"
#include "kernels/shape.h"

enum { TG_DSP_SHORT_SUM = 256 };

_Static_assert(TG_DSP_SHORT_SUM * 128 <= 32768 && TG_DSP_SHORT_SUM * 127 <= 32767, "a sum of codes fits int16");

/* Adds `count` rows of up to four channels. */
TG_INLINE void tg_dsp_add_rows(const int8_t *x, int32_t channels, int32_t lanes, int32_t count, int32_t *acc)
{
    int32_t even = 0;
    int32_t odd = 0;
    for (int32_t t = 0; t < count; t++) {
        const int32_t word = tg_dsp_load(&x[t * channels], lanes);
        even = __sxtab16(even, word);
        odd = tg_dsp_add_odd(odd, word);
    }
    acc[0] += (int16_t)even;
    acc[1] += (int16_t)odd;
    acc[2] += even >> 16;
    acc[3] += odd >> 16;
}

TG_INLINE void tg_dsp_pool_channels(tg_global_average_pool s, tg_codes y, const int8_t *x, float multiplier,
                                    int8_t *output, int32_t lanes)
{
    const int32_t zero = -s.length * s.input_zero_point;
    int32_t acc[4] = { zero, zero, zero, zero };
    int32_t t = 0;
    for (; t + TG_DSP_SHORT_SUM < s.length; t += TG_DSP_SHORT_SUM) {
        tg_dsp_add_rows(&x[t * s.channels], s.channels, lanes, TG_DSP_SHORT_SUM, acc);
    }
    tg_dsp_add_rows(&x[t * s.channels], s.channels, lanes, s.length - t, acc);
#pragma GCC unroll 4
    for (int32_t i = 0; i < lanes; i++) {
        output[i] = tg_dsp_requantize_s8(acc[i], multiplier, y);
    }
}

TG_INLINE void tg_global_average_pool_s8(tg_global_average_pool s, tg_codes y, const int8_t *x,
                                         float multiplier, int8_t *output)
{
    int32_t c = 0;
    for (; c + 4 <= s.channels; c += 4) {
        tg_dsp_pool_channels(s, y, &x[c], multiplier, &output[c], 4);
    }
    if (c < s.channels) {
        tg_dsp_pool_channels(s, y, &x[c], multiplier, &output[c], s.channels - c);
    }
}

#endif
