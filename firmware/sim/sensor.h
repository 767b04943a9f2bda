/* The sensor of a replay: something happens once per quantum of time, in an interrupt where the board has them. */
#ifndef TG_SIM_SENSOR_H
#define TG_SIM_SENSOR_H

#include <stdbool.h>
#include <stdint.h>

/* Calls tg_sensor_quantum every `quantum` ticks from now on. */
void tg_sensor_start(uint32_t quantum);

/* Waits until `*count` is no longer `seen`. */
void tg_sensor_wait(const volatile uint32_t *count, uint32_t seen);

/* Of the image: a quantum of time has passed. */
void tg_sensor_quantum(void);

#endif
