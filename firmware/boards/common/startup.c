/* Reset and vectors for Cortex-M: unit enables, memory initialisation, stack paint, main. */
#include <stdint.h>
#include <string.h>

#include "boards/common/vectors.h"
#include "runtime/stack.h"

#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88)
#define CPACR_CP10_CP11_FULL (UINT32_C(0xF) << 20) /* FPU, and Helium on a core that has it */

/* Words between the reset handler's frame and the painted part: more than tg_stack_paint's own frame. */
#define PAINT_MARGIN_WORDS 32

extern uint32_t tg_stack_low[], tg_stack_top[];
extern uint32_t tg_data_begin[], tg_data_end[], tg_data_load[];
extern uint32_t tg_bss_begin[], tg_bss_end[];

int main(void);
void tg_reset(void);

__attribute__((weak)) void tg_fault(void)
{
    for (;;) {
    }
}

__attribute__((weak)) void tg_systick(void)
{
    tg_fault();
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    const uint32_t *stack_top;
    vector exceptions[15];
} vectors = {
    tg_stack_top,
    { tg_reset, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault, tg_fault,
      tg_fault, tg_fault, tg_fault, tg_systick },
};

static uint32_t bytes_between(const uint32_t *begin, const uint32_t *end)
{
    return (uint32_t)((uintptr_t)end - (uintptr_t)begin);
}

__attribute__((noinline)) static void start(void)
{
    memcpy(tg_data_begin, tg_data_load, bytes_between(tg_data_begin, tg_data_end));
    memset(tg_bss_begin, 0, bytes_between(tg_bss_begin, tg_bss_end));
    tg_stack_paint(tg_stack_low, (const uint32_t *)__builtin_frame_address(0) - PAINT_MARGIN_WORDS);
    (void)main();
    tg_fault();
}

/* Nothing here may touch a floating-point or vector register before the unit is on, so the rest is in start(). */
void tg_reset(void)
{
    SCB_CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb\n\tisb" ::: "memory");
    start();
}
