#include "stack.h"

#define PAINT UINT32_C(0xC5C5A11A)

void tg_stack_paint(uint32_t *low, const uint32_t *high)
{
    for (volatile uint32_t *word = low; word < high; word++) {
        *word = PAINT;
    }
}

uint32_t tg_stack_high_water(const uint32_t *low, const uint32_t *high)
{
    const uint32_t *word = low;
    while (word < high && *word == PAINT) {
        word++;
    }
    return (uint32_t)(high - word) * (uint32_t)sizeof *word;
}
