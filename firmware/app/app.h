/* The product: blocks of frames in, one record per window out.
 *
 * tg_app_block is for the interrupt of the sensor, tg_app_poll for the main loop; neither masks the other (ring.h).
 *
 * Out   TG_RECORD_BYTES per window, little-endian:
 *
 *       offset  0  uint8   0xA5
 *               1  uint8   class of the window, 0 is normal, 254 uncertain, 255 unknown (runtime/decision.h)
 *               2  uint8   flags: bit 0 is 1 if the guard words around the arena are intact,
 *                          bit 1 is 1 while there is an alarm
 *               3  uint8   outputs of the network
 *               4  uint32  windows decided so far, this one included
 *               8  uint32  windows so far of any class but 0
 *              12  uint32  frames passed over so far: lost, cut, dropped or skipped (runtime/ring.h)
 *              16  uint8   class that lasts after the window
 *              17  uint8   causes for which it is unknown (runtime/fault.h)
 *              18  uint16  frames passed over just before it, at most 65535
 *              20  int32   score codes, one per output; 0 of an unknown window
 */
#ifndef TG_APP_H
#define TG_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/log.h"
#include "runtime/ring.h"
#include "settings.h"

#define TG_RECORD_BYTES (20 + 4 * TG_MODEL_OUTPUTS)
#define TG_RECORD_SYNC 0xA5
#define TG_RECORD_ARENA_INTACT 1u
#define TG_RECORD_ALARM 2u

/* What becomes of a window, in this order. */
typedef enum {
    TG_STAGE_TAKE,       /* copying it out of the ring */
    TG_STAGE_GATE,       /* looking for faults */
    TG_STAGE_PREPROCESS, /* counts to codes */
    TG_STAGE_MODEL,      /* the network */
    TG_STAGE_DECIDE,     /* scores to state */
} tg_stage;
#define TG_STAGES 5

/* What the product knows of itself, for a host that reads its memory. */
typedef struct {
    tg_ring ring;
    tg_fault fault;
    tg_decision decision;
    uint32_t since_last;             /* ticks between the last blocks of the window and of the one before */
    uint32_t ticks[TG_STAGES];       /* of the last window, 0 of a stage that it did not reach */
    uint32_t most_ticks[TG_STAGES];  /* of any */
    tg_log log;
    tg_log_record records[TG_LOG_WINDOWS];
} tg_app;

extern tg_app tg_the_app;

/* Starts anew. Returns whether the settings are ones to start with; without, there is nothing to feed. They must outlast
 * what follows, and the clock must run. */
bool tg_app_init(const tg_settings *settings);

/* Takes the sensor's next block, and when it was complete, by the board's clock. */
void tg_app_block(uint32_t number, const tg_sample frames[TG_BLOCK * TG_CHANNELS], uint32_t ticks);

/* The score codes of a window beside the stream: a self-test. */
void tg_app_score(const tg_sample samples[TG_WINDOW * TG_CHANNELS], int32_t codes[TG_MODEL_OUTPUTS]);

/* Decides the oldest complete window. Returns whether there was one and `record` was filled. */
bool tg_app_poll(uint8_t record[TG_RECORD_BYTES]);

#endif
