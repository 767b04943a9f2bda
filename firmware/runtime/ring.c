#include "ring.h"

#include <string.h>

void tg_ring_init(tg_ring *ring, void *frames, uint32_t capacity, uint32_t frame_bytes, uint32_t window,
                  uint32_t hop, tg_ring_policy policy)
{
    memset(ring, 0, sizeof *ring);
    ring->frames = frames;
    ring->capacity = capacity;
    ring->frame_bytes = frame_bytes;
    ring->window = window;
    ring->hop = hop;
    ring->policy = policy;
    ring->cycle = INT32_MAX / capacity * capacity;
}

/* (position + frames) mod cycle, for less than a cycle. */
static uint32_t advance(const tg_ring *ring, uint32_t position, uint32_t frames)
{
    const uint32_t to_end = ring->cycle - position;
    return frames < to_end ? position + frames : frames - to_end;
}

/* The difference of two positions less than half a cycle apart. */
static int32_t ahead(const tg_ring *ring, uint32_t position, uint32_t of)
{
    const int32_t cycle = (int32_t)ring->cycle;
    const int32_t difference = (int32_t)position - (int32_t)of;
    if (difference > cycle / 2) {
        return difference - cycle;
    }
    return difference < -(cycle / 2) ? difference + cycle : difference;
}

static uint32_t to_end_of_memory(const tg_ring *ring, uint32_t position, uint32_t frames)
{
    const uint32_t to_end = ring->capacity - position % ring->capacity;
    return frames < to_end ? frames : to_end;
}

static uint8_t *at(const tg_ring *ring, uint32_t position)
{
    return &ring->frames[position % ring->capacity * ring->frame_bytes];
}

/* Moves a stretch that began long ago on to the oldest frame held, so that its order remains known. */
static void keep_in_order(tg_ring *ring, uint32_t end)
{
    if (ahead(ring, end, ring->stretch) > (int32_t)(ring->cycle / 4)) {
        atomic_store_explicit(&ring->stretch, advance(ring, end, ring->cycle - ring->capacity), memory_order_relaxed);
    }
}

void tg_ring_push(tg_ring *ring, uint32_t block, const void *frames, uint32_t n)
{
    const uint32_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    const uint32_t missing = block - ring->next_block;
    if (missing > INT32_MAX) {
        ring->repeated++;
        return;
    }
    if (missing > 0) {
        ring->gaps++;
        atomic_store_explicit(&ring->lost, ring->lost + missing * n, memory_order_relaxed);
        atomic_store_explicit(&ring->stretch, written, memory_order_relaxed);
    }
    ring->next_block = block + 1;
    const uint32_t end = advance(ring, written, n);
    atomic_store_explicit(&ring->claimed, end, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    const uint32_t first = to_end_of_memory(ring, written, n);
    const uint8_t *from = frames;
    memcpy(at(ring, written), from, first * ring->frame_bytes);
    memcpy(ring->frames, &from[first * ring->frame_bytes], (n - first) * ring->frame_bytes);
    atomic_store_explicit(&ring->written, end, memory_order_release);
    keep_in_order(ring, end);
}

/* Moves the next window on by `frames`, which `counter` counts. */
static void pass_over(tg_ring *ring, uint32_t frames, uint32_t *counter)
{
    ring->position = advance(ring, ring->position, frames);
    ring->passed += frames;
    *counter += frames;
}

static uint32_t written_by_now(const tg_ring *ring)
{
    return atomic_load_explicit(&ring->written, memory_order_acquire);
}

/* Frames of the next window, and after it, that have been written over: more than 0 if any. */
static int32_t overwritten(const tg_ring *ring)
{
    const uint32_t claimed = atomic_load_explicit(&ring->claimed, memory_order_relaxed);
    return ahead(ring, claimed, ring->position) - (int32_t)ring->capacity;
}

/* Looks at the other side between two of its blocks, so that what is seen belongs together. */
static void look(tg_ring *ring)
{
    uint32_t claimed;
    do {
        claimed = atomic_load_explicit(&ring->claimed, memory_order_acquire);
        ring->seen_written = written_by_now(ring);
        ring->seen_stretch = atomic_load_explicit(&ring->stretch, memory_order_relaxed);
        ring->seen_lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
    } while (ring->seen_written != claimed || atomic_load_explicit(&ring->claimed, memory_order_relaxed) != claimed);
}

bool tg_ring_ready(tg_ring *ring)
{
    look(ring);
    const int32_t excess = ahead(ring, ring->seen_written, ring->position) - (int32_t)ring->capacity;
    if (excess > 0) {
        pass_over(ring, ((uint32_t)excess + ring->hop - 1) / ring->hop * ring->hop, &ring->dropped);
    }
    const int32_t before_gap = ahead(ring, ring->seen_stretch, ring->position);
    if (before_gap > 0) {
        pass_over(ring, (uint32_t)before_gap, &ring->cut);
    }
    const int32_t held = ahead(ring, ring->seen_written, ring->position);
    if (held < (int32_t)ring->window) {
        return false;
    }
    const uint32_t late = ((uint32_t)held - ring->window) / ring->hop;
    if (ring->policy == TG_RING_SKIP_IF_LATE && late > 0) {
        pass_over(ring, late * ring->hop, &ring->skipped);
    }
    return true;
}

bool tg_ring_take(tg_ring *ring, void *window)
{
    if (!tg_ring_ready(ring)) {
        return false;
    }
    const uint32_t first = to_end_of_memory(ring, ring->position, ring->window);
    uint8_t *to = window;
    memcpy(to, at(ring, ring->position), first * ring->frame_bytes);
    memcpy(&to[first * ring->frame_bytes], ring->frames, (ring->window - first) * ring->frame_bytes);
    atomic_thread_fence(memory_order_acquire);
    if (overwritten(ring) > 0) {
        ring->torn++; /* its frames are counted by the next call */
        return false;
    }
    ring->missed = ring->passed + ring->seen_lost - ring->lost_seen;
    ring->passed = 0;
    ring->lost_seen = ring->seen_lost;
    ring->position = advance(ring, ring->position, ring->hop);
    return true;
}

uint32_t tg_ring_rewind(tg_ring *ring, uint32_t frames)
{
    const uint32_t written = written_by_now(ring);
    const uint32_t stretch = atomic_load_explicit(&ring->stretch, memory_order_relaxed);
    const uint32_t in_stretch = (uint32_t)ahead(ring, written, stretch);
    const uint32_t held = in_stretch < ring->capacity ? in_stretch : ring->capacity;
    const uint32_t back = frames < held ? frames : held;
    ring->position = advance(ring, written, back > 0 ? ring->cycle - back : 0);
    ring->passed = 0;
    ring->lost_seen = atomic_load_explicit(&ring->lost, memory_order_relaxed);
    return back;
}
