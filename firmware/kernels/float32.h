/* What the float32 kernels have in common.
 *
 *     y = acc < min ? min : acc > max ? max : acc
 *
 * Guarantees  clipping keeps the sign of a zero and a NaN, as numpy's clip does.
 */
#ifndef TG_KERNELS_FLOAT32_H
#define TG_KERNELS_FLOAT32_H

#include <math.h>

#include "types.h"

/* The values an operator may produce. */
typedef struct {
    float min; /* 0 for a fused ReLU, else -INFINITY */
    float max;
} tg_range;

TG_INLINE float tg_clip_f32(float value, tg_range y)
{
    value = value < y.min ? y.min : value;
    return value > y.max ? y.max : value;
}

/* Keeps the loop around it scalar: Helium's vector arithmetic takes subnormals for zero, which the scalar units of
 * Cortex-M4F and M55 do not, and a sum in a stated order gains nothing from vectors. GCC and Clang vectorise no loop
 * with assembly in it, empty or not. */
TG_INLINE void tg_scalar(void)
{
    __asm__ volatile("");
}

#endif
