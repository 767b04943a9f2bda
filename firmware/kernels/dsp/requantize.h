/* Accumulator to output code (kernels/requantize.h states the formula), on a core with an FPU and saturation.
 *
 *     y = clip(saturate(rint(float32(acc) * multiplier) + zero_point), y_min, y_max)
 *
 * vcvtr rounds in the mode of the FPU, ties to even, and saturates to int32; the addition saturates too. That leaves
 * the result alone, for it only moves values beyond the codes to others beyond the same end. An int8 code is clipped
 * as code + 128, so that a zero point -128 that is compiled in costs no addition.
 */
#ifndef TG_KERNELS_DSP_REQUANTIZE_H
#define TG_KERNELS_DSP_REQUANTIZE_H

#include <arm_acle.h>
#include <stdbool.h>

#include "kernels/requantize.h"

_Static_assert(__ARM_FEATURE_SAT && (__ARM_FP & 4), "the DSP path needs saturation and single-precision floats");

/* Nearest integer, ties to even, saturated to int32. */
TG_INLINE int32_t tg_dsp_rint(float value)
{
    int32_t rounded;
    __asm("vcvtr.s32.f32 %0, %1" : "=t"(rounded) : "t"(value));
    return rounded;
}

TG_INLINE int32_t tg_dsp_add(int32_t value, int32_t zero)
{
    return tg_is_known(zero, 0) ? value : __qadd(value, zero);
}

TG_INLINE int8_t tg_dsp_requantize_s8(int32_t acc, float multiplier, tg_codes y)
{
    const int32_t rounded = tg_dsp_rint((float)acc * multiplier);
    int32_t code = (int32_t)__usat(tg_dsp_add(rounded, y.zero_point + 128), 8) - 128;
    if (y.min > INT8_MIN) {
        code = code < y.min ? y.min : code;
    }
    if (y.max < INT8_MAX) {
        code = code > y.max ? y.max : code;
    }
    return (int8_t)code;
}

TG_INLINE int16_t tg_dsp_requantize_s16(int32_t acc, float multiplier, tg_codes y)
{
    const int32_t rounded = tg_dsp_rint((float)acc * multiplier);
    int32_t code = __ssat(tg_dsp_add(rounded, y.zero_point), 16);
    if (y.min > INT16_MIN) {
        code = code < y.min ? y.min : code;
    }
    if (y.max < INT16_MAX) {
        code = code > y.max ? y.max : code;
    }
    return (int16_t)code;
}

/* Stores an output: int16 if `wide`, else int8. */
TG_INLINE void tg_dsp_store(bool wide, void *output, int32_t index, int32_t acc, float multiplier, tg_codes y)
{
    if (wide) {
        ((tg_s16 *)output)[index] = tg_dsp_requantize_s16(acc, multiplier, y);
    } else {
        ((int8_t *)output)[index] = tg_dsp_requantize_s8(acc, multiplier, y);
    }
}

#endif
