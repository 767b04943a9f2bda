#include "crc32.h"

#define REFLECTED_POLYNOMIAL UINT32_C(0xEDB88320)

/* Division in GF(2), bit by bit: state = state / x, and minus the polynomial where a one was shifted out. */
uint32_t tg_crc32_update(uint32_t state, uint8_t byte)
{
    state ^= byte;
    for (int bit = 0; bit < 8; bit++) {
        const uint32_t mask = UINT32_C(0) - (state & 1);
        state = state >> 1 ^ (REFLECTED_POLYNOMIAL & mask);
    }
    return state;
}
