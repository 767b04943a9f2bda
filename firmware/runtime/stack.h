/* How deep a descending stack has ever been: fill it with a pattern first, look how much of the pattern is left. */
#ifndef TG_RUNTIME_STACK_H
#define TG_RUNTIME_STACK_H

#include <stdint.h>

/* Paints the words in [low, high). `high` must lie below every frame in use, this function's own included. */
void tg_stack_paint(uint32_t *low, const uint32_t *high);

/* Bytes of [low, high) from the deepest word that no longer holds the pattern up to `high`. */
uint32_t tg_stack_high_water(const uint32_t *low, const uint32_t *high);

#endif
