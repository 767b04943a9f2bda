/* The addition on Helium: four codes at a time. */
#ifndef TG_KERNELS_HELIUM_ADD_S8_H
#define TG_KERNELS_HELIUM_ADD_S8_H

#include "vectors_s8.h"

TG_INLINE int32x4_t tg_add_four_s8(const int8_t *a, const int8_t *b, float32x4_t multiplier_a, float multiplier_b,
                                   float32x4_t offset, mve_pred16_t lanes)
{
    const float32x4_t codes_a = vcvtq_f32_s32(vldrbq_z_s32(a, lanes));
    const float32x4_t codes_b = vcvtq_f32_s32(vldrbq_z_s32(b, lanes));
    return vcvtnq_s32_f32(vfmaq_f32(vfmaq_n_f32(offset, codes_b, multiplier_b), codes_a, multiplier_a));
}

TG_INLINE void tg_add_s8(tg_elements s, tg_codes y, const int8_t *a, const int8_t *b, float multiplier_a,
                         float multiplier_b, float offset, int8_t *output)
{
    const float32x4_t factors = vdupq_n_f32(multiplier_a);
    const float32x4_t offsets = vdupq_n_f32(offset);
    const tg_codes shifted = { .zero_point = 0, .min = y.min, .max = y.max };
    const int32_t whole = s.count / 4 * 4;
    for (int32_t i = 0; i < whole; i += 4) {
        const int32x4_t codes = tg_add_four_s8(&a[i], &b[i], factors, multiplier_b, offsets, tg_first_words(4));
        tg_store_four(codes, shifted, &output, 4, 4);
    }
    if (whole < s.count) {
        const int32_t count = s.count - whole;
        const mve_pred16_t lanes = tg_first_words(count);
        const int32x4_t codes = tg_add_four_s8(&a[whole], &b[whole], factors, multiplier_b, offsets, lanes);
        tg_store_four(codes, shifted, &output, 0, count);
    }
}

#endif
