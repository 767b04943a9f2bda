/* Blocks of frames in, windows out.
 *
 * A frame is one count per channel, of any width: to the ring, `frame_bytes` bytes. A window of `window` frames is ready
 * as soon as that many are held; taking it moves on by `hop` frames. Triggering is by sample count alone.
 *
 * One context pushes, such as the interrupt of a DMA channel that fills two halves in turn, and one takes, such as the
 * main loop; neither masks the other. The side that pushes never waits: it writes over the oldest frames. The side that
 * takes finds out, and passes over
 *
 *     dropped   frames that were written over, in whole hops;
 *     skipped   frames of all complete windows but the newest, in whole hops, if the policy is TG_RING_SKIP_IF_LATE;
 *     cut       frames before a gap. A missing block number is a gap of so many blocks of the length of the next one;
 *               what comes after it is a new stretch, and no window spans two.
 *
 * Positions are numbers of frames since the start, without the lost ones, modulo `cycle`, the largest multiple of the
 * capacity below 2^31; so position % capacity is where a frame lies. While the two sides are less than half a cycle
 * apart, their order is known; a stretch longer than that is taken to begin at the oldest frame held.
 *
 *     claimed   end of what may be being written          claimed - position <= capacity: nothing was written over
 *     written   end of what has been written              written - position >= window:   a window is ready
 *     stretch   first frame after the last gap            position >= stretch:            it spans no gap
 *
 * `claimed` goes up before the bytes are written and `written` after, so a window that was written over while it was
 * being copied is found by looking at `claimed` after the copy.
 */
#ifndef TG_RUNTIME_RING_H
#define TG_RUNTIME_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    TG_RING_DROP_OLDEST,
    TG_RING_SKIP_IF_LATE,
} tg_ring_policy;

typedef struct {
    uint8_t *frames;   /* [capacity][frame_bytes], owned by the caller */
    uint32_t capacity; /* frames, at least window and a block */
    uint32_t frame_bytes;
    uint32_t window; /* frames */
    uint32_t hop;    /* frames, at least 1 */
    tg_ring_policy policy;
    uint32_t cycle;

    /* Of the side that pushes. */
    _Atomic uint32_t claimed;
    _Atomic uint32_t written;
    _Atomic uint32_t stretch;
    _Atomic uint32_t lost; /* frames in missing blocks */
    uint32_t gaps;
    uint32_t repeated;   /* blocks with a number from before, which are left out */
    uint32_t next_block; /* number */

    /* Of the side that takes. */
    uint32_t position; /* of the next window */
    uint32_t dropped;  /* frames */
    uint32_t skipped;  /* frames */
    uint32_t cut;      /* frames */
    uint32_t missed;   /* frames of any of the four kinds between the last two windows taken */
    uint32_t passed;   /* frames passed over since the last window taken */
    uint32_t lost_seen;
    uint32_t torn; /* windows written over while they were being copied */

    /* The other side, as tg_ring_ready saw it last. */
    uint32_t seen_written;
    uint32_t seen_stretch;
    uint32_t seen_lost;
} tg_ring;

/* An empty ring over `frames`. The first block has number 0. */
void tg_ring_init(tg_ring *ring, void *frames, uint32_t capacity, uint32_t frame_bytes, uint32_t window,
                  uint32_t hop, tg_ring_policy policy);

/* Appends a block of `n` frames, [n][frame_bytes], n <= capacity. */
void tg_ring_push(tg_ring *ring, uint32_t block, const void *frames, uint32_t n);

/* Whether a window can be taken, after passing over what cannot. */
bool tg_ring_ready(tg_ring *ring);

/* Copies the next window, [window][frame_bytes], by at most two calls of memcpy, and moves on by one hop. Returns
 * whether there was one; if not, what `window` holds is not one. */
bool tg_ring_take(tg_ring *ring, void *window);

/* Puts the start of the next window `frames` before the end of what was written, or at the oldest frame of the stretch
 * still held; nothing counts as missed. Returns how many frames before the end it is. */
uint32_t tg_ring_rewind(tg_ring *ring, uint32_t frames);

#endif
