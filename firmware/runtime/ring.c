#include "ring.h"

#include <string.h>

void tg_ring_init(tg_ring *ring, int16_t *frames, uint32_t capacity, uint32_t channels, uint32_t window,
                  uint32_t hop)
{
    *ring = (tg_ring){
        .frames = frames, .capacity = capacity, .channels = channels, .window = window, .hop = hop
    };
}

static void advance(tg_ring *ring, uint32_t frames)
{
    const uint32_t step = frames < ring->fill ? frames : ring->fill;
    ring->head = (ring->head + step) % ring->capacity;
    ring->fill -= step;
    ring->skip = frames - step;
}

void tg_ring_push(tg_ring *ring, const int16_t *frame)
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
    memcpy(&ring->frames[tail * ring->channels], frame, ring->channels * sizeof *frame);
    ring->fill++;
}

bool tg_ring_ready(const tg_ring *ring)
{
    return ring->fill >= ring->window;
}

void tg_ring_take(tg_ring *ring, int16_t *window)
{
    const uint32_t to_end = ring->capacity - ring->head;
    const uint32_t first = ring->window < to_end ? ring->window : to_end;
    const uint32_t frame_bytes = ring->channels * sizeof *window;
    memcpy(window, &ring->frames[ring->head * ring->channels], first * frame_bytes);
    memcpy(&window[first * ring->channels], ring->frames, (ring->window - first) * frame_bytes);
    advance(ring, ring->hop);
}
