/* The addition (kernels/add_s8.h, kernels/add_s16.h) with the rounding and saturation of the core. */
#ifndef TG_KERNELS_DSP_ADD_H
#define TG_KERNELS_DSP_ADD_H

#include "kernels/dsp/requantize.h"
#include "kernels/fma.h"

/* The nearest code, of int16 if `wide`, else int8. */
TG_INLINE int32_t tg_dsp_sum(float a, float b, float multiplier_a, float multiplier_b, float offset, tg_codes y,
                             bool wide)
{
    const int32_t rounded = tg_dsp_rint(tg_fma(a, multiplier_a, tg_fma(b, multiplier_b, offset)));
    int32_t code = wide ? __ssat(rounded, 16) : __ssat(rounded, 8);
    if (y.min > (wide ? INT16_MIN : INT8_MIN)) {
        code = code < y.min ? y.min : code;
    }
    if (y.max < (wide ? INT16_MAX : INT8_MAX)) {
        code = code > y.max ? y.max : code;
    }
    return code;
}

#endif
