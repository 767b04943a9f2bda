/* Accumulator to output code (kernels/requantize.h states the formula), on a core with an FPU and saturation.
 *
 *     y = sat8(sat32(rint(float32(acc) * multiplier)) + zero_point), then clipped to [y_min, y_max]
 *
 * vcvtr rounds in the mode of the FPU, ties to even, and saturates to int32; the addition saturates too. Saturating on
 * the way leaves the result alone, for it only moves values that are outside the codes to others outside them.
 * Codes are clipped as y + 128, so that the frequent zero point -128, that of a ReLU, costs no addition.
 */
#ifndef TG_KERNELS_DSP_REQUANTIZE_H
#define TG_KERNELS_DSP_REQUANTIZE_H

#include <arm_acle.h>

#include "kernels/requantize.h"

_Static_assert(__ARM_FEATURE_SAT && (__ARM_FP & 4), "the DSP path needs saturation and single-precision floats");

/* Nearest integer, ties to even, saturated to int32. */
TG_INLINE int32_t tg_dsp_rint(float value)
{
    int32_t rounded;
    __asm("vcvtr.s32.f32 %0, %1" : "=t"(rounded) : "t"(value));
    return rounded;
}

TG_INLINE int8_t tg_dsp_requantize_s8(int32_t acc, float multiplier, tg_codes y)
{
    const int32_t rounded = tg_dsp_rint((float)acc * multiplier);
    const int32_t zero = y.zero_point + 128;
    int32_t code = (int32_t)__usat(zero == 0 ? rounded : __qadd(rounded, zero), 8);
    if (y.min > -128) {
        code = code < y.min + 128 ? y.min + 128 : code;
    }
    if (y.max < 127) {
        code = code > y.max + 128 ? y.max + 128 : code;
    }
    return (int8_t)(code - 128);
}

#endif
