#include "ring.h"

#include <string.h>

void tg_ring_init(tg_ring *ring, void *frames, uint32_t capacity, uint32_t frame_bytes, uint32_t window,
                  uint32_t hop)
{
    *ring = (tg_ring){
        .frames = frames, .capacity = capacity, .frame_bytes = frame_bytes, .window = window, .hop = hop
    };
}

static void advance(tg_ring *ring, uint32_t frames)
{
    const uint32_t step = frames < ring->fill ? frames : ring->fill;
    ring->head = (ring->head + step) % ring->capacity;
    ring->fill -= step;
    ring->skip = frames - step;
}

void tg_ring_push(tg_ring *ring, const void *frame)
{
    if (ring->fill == ring->capacity) {
        advance(ring, ring->hop);
        ring->dropped += ring->hop;
    }
    if (ring->skip > 0) {
        ring->skip--;
        return;
    }
    const uint32_t tail = (ring->head + ring->fill) % ring->capacity;
    memcpy(&ring->frames[tail * ring->frame_bytes], frame, ring->frame_bytes);
    ring->fill++;
}

bool tg_ring_ready(const tg_ring *ring)
{
    return ring->fill >= ring->window;
}

void tg_ring_take(tg_ring *ring, void *window)
{
    const uint32_t to_end = ring->capacity - ring->head;
    const uint32_t first = ring->window < to_end ? ring->window : to_end;
    uint8_t *to = window;
    memcpy(to, &ring->frames[ring->head * ring->frame_bytes], first * ring->frame_bytes);
    memcpy(&to[first * ring->frame_bytes], ring->frames, (ring->window - first) * ring->frame_bytes);
    advance(ring, ring->hop);
}
