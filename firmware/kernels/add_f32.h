/* The sum of two tensors of one shape, in float32.
 *
 *     y[i] = clip(a[i] + b[i], y.min, y.max)
 *
 * a, b    float [count]
 * output  float [count]; may be a or b
 *
 * Alignment  none beyond that of the element type.
 * Assumes    compiled without -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_ADD_F32_H
#define TG_KERNELS_ADD_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_add_f32(tg_elements s, tg_range y, const tg_f32 *a, const tg_f32 *b, tg_f32 *output)
{
    for (int32_t i = 0; i < s.count; i++) {
        tg_scalar();
        output[i] = tg_clip_f32(a[i] + b[i], y);
    }
}

#endif
