/* The runtime libraries on the host. Prints the name of each test; a failed check aborts. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/calibration.h"
#include "runtime/decision.h"
#include "runtime/duty.h"
#include "runtime/fault.h"
#include "runtime/log.h"
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
    tg_ring_init(&ring, malloc(capacity * FRAME_BYTES), capacity, FRAME_BYTES, window, hop, TG_RING_DROP_OLDEST);
    return ring;
}

/* Frame number n holds (count(n), -count(n)), beyond the range of int16. */
static int32_t count(uint32_t n)
{
    return (int32_t)(n * 100003 & INT32_MAX);
}

/* Pushes frames [begin, end) in blocks of `n`, the first of them block number begin / n. */
static void push(tg_ring *ring, uint32_t begin, uint32_t end, uint32_t n)
{
    int32_t *block = malloc(n * FRAME_BYTES);
    for (uint32_t at = begin; at < end; at += n) {
        for (uint32_t i = 0; i < n; i++) {
            block[CHANNELS * i] = count(at + i);
            block[CHANNELS * i + 1] = -count(at + i);
        }
        tg_ring_push(ring, at / n, block, n);
    }
    free(block);
}

static void check_window(const tg_ring *ring, const int32_t *window, uint32_t start)
{
    for (uint32_t i = 0; i < ring->window; i++) {
        CHECK(window[CHANNELS * i] == count(start + i));
        CHECK(window[CHANNELS * i + 1] == -count(start + i));
    }
}

static void check_take(tg_ring *ring, uint32_t start)
{
    int32_t *window = malloc(ring->window * FRAME_BYTES);
    CHECK(tg_ring_take(ring, window));
    check_window(ring, window, start);
    free(window);
}

static void ring_windows_start_at_multiples_of_the_hop(void)
{
    const uint32_t shapes[][3] = { { 12, 8, 4 }, { 11, 8, 3 }, { 8, 8, 8 }, { 9, 1, 1 }, { 8, 5, 13 }, { 3, 3, 7 } };
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        tg_ring ring = make_ring(shapes[s][0], shapes[s][1], shapes[s][2]);
        uint32_t windows = 0;
        for (uint32_t n = 0; n < 200; n++) {
            push(&ring, n, n + 1, 1);
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

static void ring_takes_blocks_that_end_anywhere_in_memory(void)
{
    for (uint32_t n = 1; n <= 7; n++) {
        tg_ring ring = make_ring(15, 8, 4);
        uint32_t windows = 0;
        for (uint32_t at = 0; at < 40 * n; at += n) {
            push(&ring, at, at + n, n);
            while (tg_ring_ready(&ring)) {
                check_take(&ring, 4 * windows++);
            }
        }
        CHECK(windows == (40 * n - 8) / 4 + 1 && ring.dropped == 0);
        free(ring.frames);
    }
}

static void ring_drops_a_hop_longer_than_itself(void)
{
    tg_ring ring = make_ring(8, 8, 20);
    push(&ring, 0, 21, 1);
    CHECK(!tg_ring_ready(&ring) && ring.dropped == 20);
    push(&ring, 21, 28, 1);
    check_take(&ring, 20);
    free(ring.frames);
}

#define RACED_FRAMES 3000000u

static void *push_on_and_on(void *ring)
{
    push(ring, 0, RACED_FRAMES, 6);
    return NULL;
}

/* One side pushes as fast as it can, so that windows are written over while they are being copied. */
static void ring_takes_whole_windows_while_another_context_pushes(void)
{
    tg_ring ring = make_ring(60, 24, 12);
    int32_t *window = malloc(ring.window * FRAME_BYTES);
    pthread_t producer;
    uint32_t start = 0;
    pthread_create(&producer, NULL, push_on_and_on, &ring);
    while (start + ring.window + ring.hop <= RACED_FRAMES) {
        if (tg_ring_take(&ring, window)) {
            start += ring.missed;
            check_window(&ring, window, start);
            start += ring.hop;
        }
    }
    pthread_join(producer, NULL);
    CHECK(ring.dropped % ring.hop == 0 && ring.cut == 0);
    free(window);
    free(ring.frames);
}

static void decision_remembers_no_more_than_its_caller_has_room_for(void)
{
    const tg_decision_codes codes[] = { { 10, 0, 0, 0 }, { 20, 0, 0, 0 } };
    const tg_decision_config config = { codes, 2, TG_PICK_SEVEREST, false, 0, 5, TG_DECISION_MAX_OF, TG_DECISION_MAX_OF,
                                        1, 1, 1 };
    int32_t *room = malloc(config.average * config.outputs * sizeof *room);
    tg_decision decision;
    CHECK(tg_decision_check(&config) == TG_DECISION_FINE);
    tg_decision_init(&decision, &config, room);
    for (uint32_t i = 0; i < 200; i++) {
        const int32_t scores[] = { 30, 15 };
        CHECK(tg_decision_update(&decision, scores) == 1);
        CHECK(decision.state == (i >= TG_DECISION_MAX_OF - 1));
    }
    CHECK(decision.events == 1 && tg_majority(4) == 3 && tg_majority(5) == 3);
    free(room);
}

static void log_stays_behind_its_header(void)
{
    tg_log *log = malloc(sizeof *log + 4 * sizeof(tg_log_record));
    tg_log_record *records = (tg_log_record *)(log + 1);
    tg_log_init(log, 4);
    for (uint32_t i = 0; i < 11; i++) {
        const int32_t code = (int32_t)i;
        tg_log_record record = { .window = i };
        tg_log_top(&record, &code, 1);
        tg_log_append(log, records, &record);
    }
    CHECK(log->written == 11 && records[2].window == 10 && records[3].window == 7);
    free(log);
}

static void calibration_of_one_channel_reads_one_channel(void)
{
    tg_calibration *record = malloc(sizeof *record);
    tg_calibration_rest *rest = calloc(1, sizeof *rest);
    const tg_calibration_limits limits = { .max_variance = 1, .max_norm = UINT64_MAX, .max_offset = 9, .min_span = 1 };
    tg_calibration_init(record, 1, 0, 0);
    for (int i = 0; i < 8; i++) {
        tg_calibration_rest_add(rest, &limits, 5);
    }
    CHECK(tg_calibration_offset(record, &limits, rest, 20) == TG_CALIBRATION_DONE);
    tg_calibration_seal(record);
    CHECK(tg_calibration_newest(record, record, 1) == record && record->offset[0] == 5);
    free(rest);
    free(record);
}

static void duty_and_ring_give_the_frames_around_a_wake(void)
{
    const tg_duty_config config = { .decimation = 3, .block = 4, .wake_variance = 4, .window = 16, .hop = 8, .preroll = 10,
                                    .cooldown = 5 };
    tg_ring ring = make_ring(24, config.window, config.hop);
    tg_duty duty;
    CHECK(tg_duty_check(&config) == TG_DUTY_FINE);
    tg_duty_init(&duty, &config);
    for (uint32_t n = 0; n < 200; n++) {
        push(&ring, n, n + 1, 1);
        const tg_duty_action action = tg_duty_frame(&duty, n == 99 ? 50 : 0);
        if (action == TG_DUTY_REWIND) {
            CHECK(n == 105 && tg_ring_rewind(&ring, config.preroll) == config.preroll);
        } else if (action == TG_DUTY_TAKE) {
            CHECK(n == 111);
            check_take(&ring, 96);
            CHECK(tg_duty_result(&duty, false) == TG_DUTY_NOTHING);
        }
    }
    CHECK(duty.wakes == 1 && duty.false_wakes == 1 && duty.inferences == 1 && ring.dropped == 0);
    free(ring.frames);
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
    RUN(ring_windows_start_at_multiples_of_the_hop);
    RUN(ring_takes_blocks_that_end_anywhere_in_memory);
    RUN(ring_drops_a_hop_longer_than_itself);
    RUN(ring_takes_whole_windows_while_another_context_pushes);
    RUN(decision_remembers_no_more_than_its_caller_has_room_for);
    RUN(log_stays_behind_its_header);
    RUN(calibration_of_one_channel_reads_one_channel);
    RUN(duty_and_ring_give_the_frames_around_a_wake);
    RUN(stack_high_water_is_the_deepest_word_touched);
    return 0;
}
