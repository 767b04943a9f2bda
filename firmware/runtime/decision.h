/* From scores to events, in small steps, each of which can be left out.
 *
 * Score k of a window is an int32 code, whatever the network computes in. Class 0 is normal, and output k is for class
 * k + 1: with TG_PICK_SEVEREST for it and all more severe ones, with TG_PICK_HIGHEST for it alone.
 *
 *     step         what it makes                                                                     left out by
 *     average      s[k] = mean of code k over the last `average` windows                             average = 1
 *     hysteresis   limit[k] = exit[k] if the state is of class k + 1 (or, severest, beyond), else enter[k]   false
 *     pick         severest: the last class with s[k] >= limit[k], 0 if there is none
 *                  highest:  the class of the largest s[k] if s[k] >= limit[k], else 0; the first of equals
 *     reject       UNCERTAIN if any s[k] is within [reject_from[k], reject_to[k])                    from = to
 *     margin       UNCERTAIN if the class is not 0 and the second largest s[k] is less than `margin` below     0
 *     vote         a class that `need` of the last `of` windows are of (severest: or beyond); the state's class
 *                  until more than of - need windows are not                                         need = of = 1
 *     accumulate   that class, while the level of accumulate.h is full; else 0                       accumulate = 1
 *     hold         a state other than 0 lasts `min_hold` windows or longer                           1
 *     cooldown     after it, 0 lasts `cooldown` windows or longer                                    1
 *
 * The majority of `of` windows is need = tg_majority(of). Means are not divided: sums are compared with n times a limit.
 *
 * The state, with d for what accumulate gives, and timers that count windows down:
 *
 *     state   when                                                     next state    timers
 *     0       d > 0 and cooldown is over                               d             hold; this is an event
 *     c       severest, and d > c                                      d             hold
 *     c       d is another, hold is over, and severest with d > 0      d             hold
 *     c       d is another, hold is over, otherwise                    0             cooldown
 *     any     otherwise, and always for an UNCERTAIN or UNKNOWN window same
 *
 * A window that is UNKNOWN, since the fault gate refused it, or missing, is a gap: what was being gathered in the average,
 * the vote and a level that is not full is forgotten, what has been decided is kept, and time goes on.
 */
#ifndef TG_RUNTIME_DECISION_H
#define TG_RUNTIME_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "accumulate.h"

/* A window's class beside 0 to `outputs`. */
#define TG_CLASS_UNCERTAIN 254
#define TG_CLASS_UNKNOWN 255

#define TG_DECISION_MAX_OUTPUTS 253
#define TG_DECISION_MAX_AVERAGE 64
#define TG_DECISION_MAX_OF 32
#define TG_DECISION_MAX_WINDOWS 65535

typedef enum {
    TG_PICK_SEVEREST,
    TG_PICK_HIGHEST,
} tg_pick;

/* Of one output. */
typedef struct {
    int32_t enter;
    int32_t exit;
    int32_t reject_from;
    int32_t reject_to;
} tg_decision_codes;

typedef struct {
    const tg_decision_codes *codes; /* [outputs] */
    uint32_t outputs;
    tg_pick pick;
    bool hysteresis;
    uint32_t margin; /* codes, which must then be of one scale */
    uint32_t average;
    uint32_t need;
    uint32_t of;
    uint32_t accumulate;
    uint32_t min_hold; /* windows */
    uint32_t cooldown; /* windows */
} tg_decision_config;

/* What is wrong with a configuration. */
typedef enum {
    TG_DECISION_FINE,
    TG_DECISION_BAD_OUTPUTS,    /* not 1 to TG_DECISION_MAX_OUTPUTS */
    TG_DECISION_BAD_PICK,       /* neither of the two */
    TG_DECISION_BAD_EXIT,       /* hysteresis, and exit >= enter for an output */
    TG_DECISION_BAD_REJECT,     /* the band of an output is not empty and enter is not within */
    TG_DECISION_BAD_MARGIN,     /* a margin, and not TG_PICK_HIGHEST over two outputs or more */
    TG_DECISION_BAD_AVERAGE,    /* not 1 to TG_DECISION_MAX_AVERAGE */
    TG_DECISION_BAD_VOTE,       /* not 1 <= need <= of <= TG_DECISION_MAX_OF */
    TG_DECISION_BAD_ACCUMULATE, /* not 1 to TG_DECISION_MAX_WINDOWS */
    TG_DECISION_BAD_HOLD,       /* not 1 to TG_DECISION_MAX_WINDOWS */
    TG_DECISION_BAD_COOLDOWN,   /* not 1 to TG_DECISION_MAX_WINDOWS */
} tg_decision_rule;

typedef struct {
    const tg_decision_config *config;
    int32_t *codes; /* [average][outputs], owned by the caller: the last windows' */
    uint32_t n_codes;
    uint32_t next_code;
    uint8_t classes[TG_DECISION_MAX_OF]; /* the last windows' */
    uint32_t n_classes;
    uint32_t next_class;
    tg_accumulate accumulate;
    uint32_t hold;
    uint32_t cooldown;
    uint8_t state; /* a class */

    uint32_t windows;
    uint32_t positive; /* windows of any class but 0 */
    uint32_t uncertain;
    uint32_t unknown;
    uint32_t events;
    uint32_t gaps; /* UNKNOWN windows not counted */
} tg_decision;

/* The least number that is more than half. */
static inline uint32_t tg_majority(uint32_t of)
{
    return of / 2 + 1;
}

/* The first rule that a configuration breaks. */
tg_decision_rule tg_decision_check(const tg_decision_config *config);

/* Starts in state 0. `codes` has room for [average][outputs]; both arguments must outlast `decision`. */
void tg_decision_init(tg_decision *decision, const tg_decision_config *config, int32_t *codes);

/* Decides one window from its `outputs` codes. Returns its class, before the vote; `state` is what lasts. */
uint8_t tg_decision_update(tg_decision *decision, const int32_t *codes);

/* Takes a window that the fault gate refused. Returns TG_CLASS_UNKNOWN. */
uint8_t tg_decision_unknown(tg_decision *decision);

/* Takes a gap of so many hops before the next window. */
void tg_decision_gap(tg_decision *decision, uint32_t hops);

#endif
