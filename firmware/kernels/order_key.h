/* A float32 score as an int32 that orders as it does.
 *
 *     key = bits                      if the sign bit is clear
 *     key = bits ^ 0x7fffffff         if it is set: magnitudes count downwards there
 *
 * Guarantees  a < b gives key(a) < key(b); neighbours are 1 apart, -0 and +0 too. Not for NaN.
 */
#ifndef TG_KERNELS_ORDER_KEY_H
#define TG_KERNELS_ORDER_KEY_H

#include <string.h>

#include "types.h"

TG_INLINE int32_t tg_order_key(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

#endif
