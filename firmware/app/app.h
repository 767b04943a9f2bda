/* The product: a stream of bytes in, one record per window out.
 *
 * In    frames of TG_CHANNELS little-endian counts, tg_sample each, back to back.
 * Out   TG_RECORD_BYTES per window, little-endian:
 *
 *       offset  0  uint8   0xA5
 *               1  uint8   class of the window, 0 is normal, 254 uncertain, 255 unknown (runtime/decision.h)
 *               2  uint8   flags: bit 0 is 1 if the guard words around the arena are intact,
 *                          bit 1 is 1 while there is an alarm
 *               3  uint8   outputs of the network
 *               4  uint32  windows decided so far, this one included
 *               8  uint32  windows so far of any class but 0
 *              12  uint32  frames dropped so far
 *              16  int32   score codes, one per output; 0 of an unknown window
 */
#ifndef TG_APP_H
#define TG_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

#define TG_RECORD_BYTES (16 + 4 * TG_MODEL_OUTPUTS)
#define TG_RECORD_SYNC 0xA5
#define TG_RECORD_ARENA_INTACT 1u
#define TG_RECORD_ALARM 2u

/* Returns whether the configuration is one to start with; without, there is nothing to feed. */
bool tg_app_init(void);

/* Takes one byte of the stream. */
void tg_app_feed(uint8_t byte);

/* Decides the oldest complete window. Returns whether there was one and `record` was filled. */
bool tg_app_poll(uint8_t record[TG_RECORD_BYTES]);

#endif
