/* Frames in, windows out.
 *
 * A frame is one count per channel, of any width: to the ring, `frame_bytes` bytes. A window of `window` frames is ready
 * as soon as that many are held; taking it moves on by `hop` frames. Triggering is by sample count alone, so window
 * starts are multiples of the hop.
 *
 * When the ring is full, the oldest `hop` frames are dropped and counted: what remains is contiguous and still
 * starts at a multiple of the hop, so a window never spans a gap.
 *
 * Not for use from two contexts at once: a producer in an interrupt must be masked around tg_ring_take.
 */
#ifndef TG_RUNTIME_RING_H
#define TG_RUNTIME_RING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint8_t *frames;   /* [capacity][frame_bytes], owned by the caller */
    uint32_t capacity; /* frames, at least window */
    uint32_t frame_bytes;
    uint32_t window; /* frames */
    uint32_t hop;    /* frames, at least 1 */
    uint32_t head;   /* index of the oldest frame held */
    uint32_t fill;   /* frames held */
    uint32_t skip;   /* frames still to be passed over, when hop exceeds what is held */
    uint32_t dropped;
} tg_ring;

/* An empty ring over `frames`. */
void tg_ring_init(tg_ring *ring, void *frames, uint32_t capacity, uint32_t frame_bytes, uint32_t window,
                  uint32_t hop);

/* Appends one frame of `frame_bytes` bytes. */
void tg_ring_push(tg_ring *ring, const void *frame);

/* Whether a window can be taken. */
bool tg_ring_ready(const tg_ring *ring);

/* Copies the oldest window, [window][frame_bytes], and moves on by one hop. Only when ready. */
void tg_ring_take(tg_ring *ring, void *window);

#endif
