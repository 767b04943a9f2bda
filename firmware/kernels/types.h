/* Types of activations, other than int8_t.
 *
 * Every activation lies in the bytes of one arena, which is declared as int8_t. Reading such bytes as another type is
 * undefined in standard C, unless that type may alias them: GCC and Clang take this attribute, and then treat the
 * access as one of a character type. Constants and locals need none of it.
 *
 * Alignment  that of the plain type; the generator places every tensor at a multiple of 16.
 */
#ifndef TG_KERNELS_TYPES_H
#define TG_KERNELS_TYPES_H

#include <float.h>
#include <stdint.h>

#define TG_INLINE static inline __attribute__((always_inline))

/* Whether kernels may use vectors, of integers and of the floats that requantise them. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define TG_HAS_HELIUM 1
#else
#define TG_HAS_HELIUM 0
#endif

typedef int16_t __attribute__((may_alias)) tg_s16;
typedef int32_t __attribute__((may_alias)) tg_s32;
typedef float __attribute__((may_alias)) tg_f32;

_Static_assert(FLT_EVAL_METHOD == 0, "float expressions must be evaluated in single precision");

#endif
