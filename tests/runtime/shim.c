/* What a caller does around the inline parts of the runtime. */
#include "runtime/calibration.h"
#include "runtime/fault.h"

uint8_t judge(tg_fault *fault, const tg_fault_limits *limits, const int32_t *window, uint32_t n, uint32_t channels,
              uint32_t missed, uint32_t ticks);
void rest(tg_calibration_rest *states, const tg_calibration_limits *limits, const int32_t *counts, uint32_t n,
          uint32_t channels);

uint8_t judge(tg_fault *fault, const tg_fault_limits *limits, const int32_t *window, uint32_t n, uint32_t channels,
              uint32_t missed, uint32_t ticks)
{
    for (uint32_t c = 0; c < channels; c++) {
        tg_fault_scan scan = { 0 };
        for (uint32_t i = 0; i < n; i++) {
            tg_fault_scan_add(&scan, &limits[c], window[i * channels + c]);
        }
        tg_fault_channel(fault, &scan, &limits[c]);
    }
    return tg_fault_end(fault, missed, ticks);
}

void rest(tg_calibration_rest *states, const tg_calibration_limits *limits, const int32_t *counts, uint32_t n,
          uint32_t channels)
{
    for (uint32_t i = 0; i < n * channels; i++) {
        tg_calibration_rest_add(&states[i % channels], limits, counts[i]);
    }
}
