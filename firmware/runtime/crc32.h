/* CRC-32 of IEEE 802.3: polynomial 0x04C11DB7, bits reflected, all ones at the start, complemented at the end. */
#ifndef TG_RUNTIME_CRC32_H
#define TG_RUNTIME_CRC32_H

#include <stdint.h>

#define TG_CRC32_START UINT32_C(0xFFFFFFFF)

/* The state after one more byte. */
uint32_t tg_crc32_update(uint32_t state, uint8_t byte);

/* The checksum of the bytes seen so far. */
static inline uint32_t tg_crc32_value(uint32_t state)
{
    return ~state;
}

/* The checksum of bytes that lie together. */
uint32_t tg_crc32(const void *bytes, uint32_t length);

#endif
