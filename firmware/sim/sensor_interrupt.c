/* Time passes by SysTick, whatever the main loop does. */
#include "boards/common/clock.h"
#include "sim/sensor.h"

void tg_sensor_start(uint32_t quantum)
{
    tg_clock_init_periodic(quantum, tg_sensor_quantum);
}

/* An interrupt between the look and the sleep would be slept through, so it is held back until then: it still wakes. */
void tg_sensor_wait(const volatile uint32_t *count, uint32_t seen)
{
    __asm volatile("cpsid i" ::: "memory");
    while (*count == seen) {
        __asm volatile("dsb\n\twfi\n\tcpsie i\n\tisb\n\tcpsid i" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}
