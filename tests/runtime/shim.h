#ifndef TG_TESTS_SHIM_H
#define TG_TESTS_SHIM_H

#include "runtime/calibration.h"
#include "runtime/fault.h"

/* Judges a window of so many frames, whose counts have so many bytes each. */
uint8_t judge(tg_fault *fault, const tg_fault_limits *limits, const void *window, uint32_t bytes, uint32_t n,
              uint32_t channels, uint32_t missed, uint32_t ticks);

void rest(tg_calibration_rest *states, const tg_calibration_limits *limits, const int32_t *counts, uint32_t n,
          uint32_t channels);

#endif
