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

uint32_t tg_crc32(const void *bytes, uint32_t length)
{
    const uint8_t *from = bytes;
    uint32_t state = TG_CRC32_START;
    for (uint32_t i = 0; i < length; i++) {
        state = tg_crc32_update(state, from[i]);
    }
    return tg_crc32_value(state);
}
