/* Accumulator to output code.
 *
 *     y = clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)        ties to even
 *
 * computed as rint(clip(float32(acc) * multiplier, y_min - zero_point, y_max - zero_point)) + zero_point.
 * The two are equal because rint is monotone and leaves integers alone; clipping first bounds the argument by
 * 2^16, so that adding 1.5 * 2^23 rounds it in the adder's own mode (ties to even) and leaves the integer in the
 * low bits of the sum.
 *
 * Assumes   a finite positive multiplier; y_min <= y_max and zero_point are codes of the output's type; compiled with
 *           -ffp-contract=off and without -ffast-math; the default rounding mode.
 * Guarantees  bit-exactness on every IEEE 754 single-precision unit, scalar or vector, also one that flushes
 *           subnormals: a product below 2^-126 rounds to zero either way. Needs no libm.
 */
#ifndef TG_KERNELS_REQUANTIZE_H
#define TG_KERNELS_REQUANTIZE_H

#include <stdbool.h>
#include <string.h>

#include "types.h"

/* The codes an operator may produce. */
typedef struct {
    int32_t zero_point;
    int32_t min; /* carries a fused ReLU */
    int32_t max;
} tg_codes;

/* Whether the compiler knows that a number is another one. What is read from the weights is not known: asking at run time
 * would have it compile a loop twice. */
TG_INLINE bool tg_is_known(int32_t number, int32_t other)
{
    return __builtin_constant_p(number == other) && number == other;
}

/* Nearest integer, ties to even, for |value| < 2^22. */
TG_INLINE int32_t tg_rint(float value)
{
    const float shifted = value + 0x1.8p23f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4B400000;
}

/* The nearest code of the range to a value in codes. */
TG_INLINE int32_t tg_nearest_code(float value, tg_codes y)
{
    const float low = (float)y.min;
    const float high = (float)y.max;
    value = value < low ? low : value;
    value = value > high ? high : value;
    return tg_rint(value);
}

TG_INLINE int32_t tg_requantize(int32_t acc, float multiplier, tg_codes y)
{
    const float low = (float)(y.min - y.zero_point);
    const float high = (float)(y.max - y.zero_point);
    float value = (float)acc * multiplier;
    value = value < low ? low : value;
    value = value > high ? high : value;
    return tg_rint(value) + y.zero_point;
}

TG_INLINE int8_t tg_requantize_s8(int32_t acc, float multiplier, tg_codes y)
{
    return (int8_t)tg_requantize(acc, multiplier, y);
}

TG_INLINE int16_t tg_requantize_s16(int32_t acc, float multiplier, tg_codes y)
{
    return (int16_t)tg_requantize(acc, multiplier, y);
}

#endif
