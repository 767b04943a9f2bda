/* A clock that an image may read at any time. */
#ifndef TG_BOARDS_CLOCK_H
#define TG_BOARDS_CLOCK_H

#include <stdint.h>

void tg_clock_init(void);

/* The same, where the clock also calls `on_period` from an interrupt, each `period` ticks: 2 to 2^24 on a Cortex-M. */
void tg_clock_init_periodic(uint32_t period, void (*on_period)(void));

/* Ticks since the clock began, TG_TICK_HZ in a second; 0 on a board without a repeatable clock. */
uint64_t tg_clock_ticks(void);

#endif
