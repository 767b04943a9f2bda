#include "cobs.h"

#define FULL_BLOCK 255

static uint32_t block_length(const tg_cobs *cobs)
{
    return cobs->length - cobs->block;
}

static void close_block(tg_cobs *cobs)
{
    cobs->out[cobs->block] = (uint8_t)block_length(cobs);
    cobs->block = cobs->length++;
}

tg_cobs tg_cobs_begin(uint8_t *out)
{
    return (tg_cobs){ .out = out, .length = 1 };
}

void tg_cobs_put(tg_cobs *cobs, uint8_t byte)
{
    /* Only when another byte follows: a packet that ends with a full block has no empty one behind it. */
    if (block_length(cobs) == FULL_BLOCK) {
        close_block(cobs);
    }
    if (byte == 0) {
        close_block(cobs);
    } else {
        cobs->out[cobs->length++] = byte;
    }
}

uint32_t tg_cobs_end(tg_cobs *cobs)
{
    cobs->out[cobs->block] = (uint8_t)block_length(cobs);
    cobs->out[cobs->length++] = 0;
    return cobs->length;
}

uint32_t tg_cobs_decode(uint8_t *packet, uint32_t length)
{
    uint32_t written = 0;
    uint32_t at = 0;
    while (at < length) {
        const uint32_t block = packet[at++];
        if (block == 0 || block - 1 > length - at) {
            return 0;
        }
        for (uint32_t i = 1; i < block; i++) {
            packet[written++] = packet[at++];
        }
        if (block < FULL_BLOCK && at < length) {
            packet[written++] = 0;
        }
    }
    return written;
}
