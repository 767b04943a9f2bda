/* What a replay reads from request.bin and writes to response.bin; stages/core/device/replay.py is the other side.
 *
 * Every number is a little-endian uint32.
 *
 * Request    magic, TG_BLOCK, TG_CHANNELS, sizeof(tg_sample), ticks of the core in a quantum, ticks that the sensor
 *            calls it, blocks; then per block its number, the quanta after the block before, and its frames. A core
 *            that has fewer ticks than the sensor says is that much slower.
 * Response   magic, status; then entries, each with its kind first:
 *
 *            TG_REPLAY_LOOKED   the main loop looked, at `seen_written` of the ring, and there was no window
 *            TG_REPLAY_DECIDED  the same, then ticks since the window before, ticks of TG_STAGES stages, and a record
 *            TG_REPLAY_END      the counters of ring, fault gate and decision in the order of replay.c, the stack's
 *                               size and high-water mark, and the log with its records
 */
#ifndef TG_SIM_REPLAY_H
#define TG_SIM_REPLAY_H

#include <stdint.h>

#define TG_REPLAY_REQUEST UINT32_C(0x51524754) /* "TGRQ" */
#define TG_REPLAY_RESPONSE UINT32_C(0x53524754) /* "TGRS" */

typedef enum {
    TG_REPLAY_OK,
    TG_REPLAY_BAD_REQUEST, /* not of this product, or short */
    TG_REPLAY_BAD_START,   /* the product refuses its configuration */
} tg_replay_status;

enum {
    TG_REPLAY_LOOKED = 1,
    TG_REPLAY_DECIDED = 2,
    TG_REPLAY_END = 3,
};

#endif
