/* The clock: SysTick at the core clock, its 24 bits extended by counting wraps. */
#include "boards/common/clock.h"
#include "boards/common/vectors.h"

#include <stddef.h>

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)

#define CSR_ENABLE UINT32_C(1)
#define CSR_TICKINT UINT32_C(2)
#define CSR_CLKSOURCE_CORE UINT32_C(4)
#define LONGEST_PERIOD UINT32_C(0x1000000)

static volatile uint32_t wraps;
static uint32_t period;
static void (*on_period)(void);

void tg_systick(void)
{
    wraps++;
    if (on_period != NULL) {
        on_period();
    }
}

void tg_clock_init_periodic(uint32_t ticks, void (*call)(void))
{
    period = ticks;
    on_period = call;
    SYST_RVR = period - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ENABLE | CSR_TICKINT | CSR_CLKSOURCE_CORE;
}

void tg_clock_init(void)
{
    tg_clock_init_periodic(LONGEST_PERIOD, NULL);
}

uint64_t tg_clock_ticks(void)
{
    uint32_t before;
    uint32_t count;
    do {
        before = wraps;
        count = SYST_CVR;
    } while (before != wraps);
    return (uint64_t)before * period + (period - 1 - count);
}
