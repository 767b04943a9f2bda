/* What a caller does around the inline parts of the runtime. */
#include "shim.h"

uint8_t judge(tg_fault *fault, const tg_fault_limits *limits, const void *window, uint32_t bytes, uint32_t n,
              uint32_t channels, uint32_t missed, uint32_t ticks)
{
    for (uint32_t c = 0; c < channels; c++) {
        if (bytes == sizeof(int16_t)) {
            tg_fault_channel_s16(fault, &limits[c], (const int16_t *)window + c, n, channels);
        } else {
            tg_fault_channel_s32(fault, &limits[c], (const int32_t *)window + c, n, channels);
        }
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
