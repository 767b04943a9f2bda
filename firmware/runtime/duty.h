/* When to look closely: a cheap check of the signal wakes the network, which sleeps else.
 *
 * Every `decimation`-th count of one channel is looked at, and every `block` of these are judged by their spread
 * (spread.h): there is something if their variance, of counts >> shift, is at least `wake_variance`.
 *
 *     state      on                                               does                        next
 *     WATCH      a block below wake_variance                                                  WATCH
 *     WATCH      a block that reaches it                          rewind by preroll, wakes++  COLLECT
 *     COLLECT    the frame that completes the window              infer                       INFER
 *     INFER      a result that is positive                        this wake was no false one  COLLECT, for one hop
 *     INFER      another                                          false_wakes++, if none was  COOLDOWN
 *     COOLDOWN   `cooldown` frames                                a new block begins          WATCH
 *
 * The first window after a wake begins `preroll` frames before the end of the block that woke it. Frames that come during
 * INFER count toward the next window. Counted are frames per state, wakes, false wakes and inferences: the active share
 * is that of the frames in COLLECT and INFER.
 */
#ifndef TG_RUNTIME_DUTY_H
#define TG_RUNTIME_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "spread.h"

typedef enum {
    TG_DUTY_WATCH,
    TG_DUTY_COLLECT,
    TG_DUTY_INFER,
    TG_DUTY_COOLDOWN,
} tg_duty_state;
#define TG_DUTY_STATES 4

/* What the caller has to do after a frame. */
typedef enum {
    TG_DUTY_NOTHING,
    TG_DUTY_REWIND, /* tg_ring_rewind by preroll frames */
    TG_DUTY_TAKE,   /* take a window, decide it, and tell tg_duty_result */
} tg_duty_action;

typedef struct {
    uint32_t decimation; /* frames, at least 1 */
    uint32_t block;      /* counts looked at, 2 to TG_SPREAD_MAX_COUNTS */
    uint32_t shift;      /* 0 for 16 bits */
    uint32_t wake_variance;
    uint32_t window;   /* frames */
    uint32_t hop;      /* frames, at least 1 */
    uint32_t preroll;  /* frames, at most window */
    uint32_t cooldown; /* frames */
} tg_duty_config;

/* What is wrong with a configuration. */
typedef enum {
    TG_DUTY_FINE,
    TG_DUTY_BAD_DECIMATION,
    TG_DUTY_BAD_BLOCK,
    TG_DUTY_BAD_SHIFT,   /* more than TG_SPREAD_MAX_SHIFT */
    TG_DUTY_BAD_HOP,
    TG_DUTY_BAD_PREROLL, /* beyond the window */
} tg_duty_rule;

typedef struct {
    const tg_duty_config *config;
    tg_duty_state state;
    uint32_t skip; /* frames until the next one looked at */
    tg_spread spread;
    uint32_t waiting; /* frames until the window is complete, or cooldown is over */
    bool is_true_wake;

    uint32_t frames[TG_DUTY_STATES];
    uint32_t wakes;
    uint32_t false_wakes;
    uint32_t inferences;
} tg_duty;

/* The first rule that a configuration breaks. */
tg_duty_rule tg_duty_check(const tg_duty_config *config);

/* Starts in WATCH. `config` must outlast `duty`. */
void tg_duty_init(tg_duty *duty, const tg_duty_config *config);

/* Takes the next frame's count of the channel that is watched. */
tg_duty_action tg_duty_frame(tg_duty *duty, int32_t count);

/* Takes what came of the window. Returns TG_DUTY_TAKE if the next one is complete already. */
tg_duty_action tg_duty_result(tg_duty *duty, bool positive);

#endif
