/* A value to a code along a line.
 *
 *     q = sat8(((v - offset) * multiplier + 2^(shift-1)) >> shift)
 *
 * Assumes  >> of a negative number is arithmetic (GCC defines it so); |v - offset| * multiplier + 2^(shift-1) < 2^31,
 *          or, in the wide form, whose values are any int32, < 2^63. The generated preprocess.c asserts the latter two
 *          for the constants it was generated with.
 */
#ifndef TG_DSP_SCALE_H
#define TG_DSP_SCALE_H

#include <stdint.h>

typedef struct {
    int32_t offset;
    int32_t multiplier;
    int32_t shift; /* 1 to 30; wide: 1 to 46 */
} tg_affine;

static inline __attribute__((always_inline)) int8_t tg_affine_code(tg_affine p, int32_t v)
{
    const int32_t scaled = ((v - p.offset) * p.multiplier + (INT32_C(1) << (p.shift - 1))) >> p.shift;
    return (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
}

static inline __attribute__((always_inline)) int8_t tg_affine_code_wide(tg_affine p, int32_t v)
{
    const int64_t distance = (int64_t)v - p.offset;
    const int64_t scaled = (distance * p.multiplier + (INT64_C(1) << (p.shift - 1))) >> p.shift;
    return (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
}

#endif
