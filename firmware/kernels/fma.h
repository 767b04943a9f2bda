/* float32(u * v + w), rounded once.
 *
 * A core without the instruction computes it in double: the product of two float32 is exact there, and the sum is if
 * its bits span at most 53 places, as they do for the multipliers that the generator accepts.
 *
 * Assumes  |u| <= 2^15 an integer; v and w as in add_s8.h.
 */
#ifndef TG_KERNELS_FMA_H
#define TG_KERNELS_FMA_H

#include "types.h"

TG_INLINE float tg_fma(float u, float v, float w)
{
#if defined(__ARM_FEATURE_FMA) || defined(__FMA__)
    return __builtin_fmaf(u, v, w);
#else
    return (float)((double)u * (double)v + (double)w);
#endif
}

#endif
