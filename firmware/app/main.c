/* The product on a byte stream: frames of TG_CHANNELS little-endian counts, tg_sample each, back to back.
 *
 * A stream brings frames as fast as its host sends them, so its blocks are stamped with the time that they stand for.
 * A board with a sensor calls tg_app_block from that sensor's interrupt instead, as sim/replay.c does.
 */
#include "app.h"
#include "boards/common/clock.h"
#include "boards/common/stream.h"

static uint8_t block[TG_BLOCK * TG_CHANNELS * sizeof(tg_sample)] __attribute__((aligned(sizeof(tg_sample))));

static bool read_block(void)
{
    for (uint32_t i = 0; i < sizeof block; i++) {
        if (!tg_stream_read(&block[i])) {
            return false;
        }
    }
    return true;
}

int main(void)
{
    uint8_t record[TG_RECORD_BYTES];
    uint32_t ticks = 0;
    tg_clock_init();
    tg_stream_init();
    if (!tg_app_init(&tg_built_in_settings)) {
        return 1;
    }
    for (uint32_t number = 0; read_block(); number++) {
        ticks += (uint32_t)TG_TICKS_OF_FRAMES(TG_BLOCK);
        tg_app_block(number, (const tg_sample *)block, ticks);
        while (tg_app_poll(record)) {
            for (int i = 0; i < TG_RECORD_BYTES; i++) {
                tg_stream_write(record[i]);
            }
        }
    }
    return 0;
}
