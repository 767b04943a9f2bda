/* The runtime libraries on the host. Prints the name of each test; a failed check aborts. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/decision.h"
#include "runtime/ring.h"
#include "runtime/stack.h"

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);       \
            abort();                                                              \
        }                                                                         \
    } while (0)

#define CHANNELS 2
#define FRAME_BYTES (CHANNELS * sizeof(int32_t))

/* A ring in memory of exactly its size, so that the address sanitizer sees its ends. */
static tg_ring make_ring(uint32_t capacity, uint32_t window, uint32_t hop)
{
    tg_ring ring;
    tg_ring_init(&ring, malloc(capacity * FRAME_BYTES), capacity, FRAME_BYTES, window, hop);
    return ring;
}

/* Frame number n holds (count(n), -count(n)), beyond the range of int16. */
static int32_t count(uint32_t n)
{
    return (int32_t)n * 100003;
}

static void push(tg_ring *ring, uint32_t begin, uint32_t end)
{
    for (uint32_t n = begin; n < end; n++) {
        const int32_t frame[CHANNELS] = { count(n), -count(n) };
        tg_ring_push(ring, frame);
    }
}

static void check_take(tg_ring *ring, uint32_t start)
{
    int32_t *window = malloc(ring->window * FRAME_BYTES);
    CHECK(tg_ring_ready(ring));
    tg_ring_take(ring, window);
    for (uint32_t i = 0; i < ring->window; i++) {
        CHECK(window[CHANNELS * i] == count(start + i));
        CHECK(window[CHANNELS * i + 1] == -count(start + i));
    }
    free(window);
}

static void ring_is_ready_with_the_last_frame_of_a_window(void)
{
    tg_ring ring = make_ring(12, 8, 4);
    push(&ring, 0, 7);
    CHECK(!tg_ring_ready(&ring));
    push(&ring, 7, 8);
    check_take(&ring, 0);
    CHECK(!tg_ring_ready(&ring));
    free(ring.frames);
}

static void ring_windows_start_at_multiples_of_the_hop(void)
{
    const uint32_t shapes[][3] = { { 12, 8, 4 }, { 11, 8, 3 }, { 8, 8, 8 }, { 9, 1, 1 }, { 8, 5, 13 }, { 3, 3, 7 } };
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        tg_ring ring = make_ring(shapes[s][0], shapes[s][1], shapes[s][2]);
        uint32_t windows = 0;
        for (uint32_t n = 0; n < 200; n++) {
            push(&ring, n, n + 1);
            while (tg_ring_ready(&ring)) {
                check_take(&ring, windows * ring.hop);
                windows++;
            }
        }
        CHECK(windows == (200 - ring.window) / ring.hop + 1);
        CHECK(ring.dropped == 0);
        free(ring.frames);
    }
}

static void ring_drops_whole_hops_and_counts_them(void)
{
    tg_ring ring = make_ring(12, 8, 4);
    push(&ring, 0, 12);
    CHECK(ring.dropped == 0);
    push(&ring, 12, 13);
    CHECK(ring.dropped == 4);
    push(&ring, 13, 30);
    CHECK(ring.dropped == 20);
    check_take(&ring, 20);
    free(ring.frames);
}

static void ring_drops_a_hop_longer_than_itself(void)
{
    tg_ring ring = make_ring(8, 8, 20);
    push(&ring, 0, 21);
    CHECK(ring.dropped == 20);
    push(&ring, 21, 28);
    check_take(&ring, 20);
    free(ring.frames);
}

static void decision_is_anomalous_from_the_threshold_on(void)
{
    const int32_t thresholds[] = { -5, INT32_MAX, INT32_MIN };
    const int32_t codes[] = { -6, -5, INT32_MAX - 1, INT32_MIN };
    tg_decision decision;
    tg_decision_init(&decision, &thresholds[0], 1);
    CHECK(tg_decision_update(&decision, &codes[0]) == 0);
    CHECK(tg_decision_update(&decision, &codes[1]) == 1);
    CHECK(tg_decision_update(&decision, &codes[2]) == 1);
    CHECK(decision.windows == 3 && decision.anomalies == 2);
    tg_decision_init(&decision, &thresholds[1], 1);
    CHECK(tg_decision_update(&decision, &codes[2]) == 0);
    tg_decision_init(&decision, &thresholds[2], 1);
    CHECK(tg_decision_update(&decision, &codes[3]) == 1);
}

static void decision_is_the_most_severe_class_that_reaches_its_threshold(void)
{
    const int32_t thresholds[] = { 0, 70000 };
    const int32_t codes[4][2] = { { -1, 69999 }, { 0, 69999 }, { 0, 70000 }, { -128, 1 << 30 } };
    tg_decision decision;
    tg_decision_init(&decision, thresholds, 2);
    CHECK(tg_decision_update(&decision, codes[0]) == 0);
    CHECK(tg_decision_update(&decision, codes[1]) == 1);
    CHECK(tg_decision_update(&decision, codes[2]) == 2);
    CHECK(tg_decision_update(&decision, codes[3]) == 2);
    CHECK(decision.windows == 4 && decision.anomalies == 3);
}

static void stack_high_water_is_the_deepest_word_touched(void)
{
    uint32_t *stack = malloc(64 * sizeof *stack);
    tg_stack_paint(stack, &stack[64]);
    CHECK(tg_stack_high_water(stack, &stack[64]) == 0);
    stack[50] = 0;
    CHECK(tg_stack_high_water(stack, &stack[64]) == 14 * 4);
    stack[10] = 0;
    CHECK(tg_stack_high_water(stack, &stack[64]) == 54 * 4);
    stack[0] = 0;
    CHECK(tg_stack_high_water(stack, &stack[64]) == 64 * 4);
    free(stack);
}

#define RUN(test)      \
    do {               \
        test();        \
        puts(#test);   \
    } while (0)

int main(void)
{
    RUN(ring_is_ready_with_the_last_frame_of_a_window);
    RUN(ring_windows_start_at_multiples_of_the_hop);
    RUN(ring_drops_whole_hops_and_counts_them);
    RUN(ring_drops_a_hop_longer_than_itself);
    RUN(decision_is_anomalous_from_the_threshold_on);
    RUN(decision_is_the_most_severe_class_that_reaches_its_threshold);
    RUN(stack_high_water_is_the_deepest_word_touched);
    return 0;
}
