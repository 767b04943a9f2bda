/* What is decided by, beside the network: the rules from scores to an alarm, and the fault gate's limits. They are compiled
 * in, or those of the section `config` of a bundle (docs/bundle.md).
 */
#ifndef TG_APP_SETTINGS_H
#define TG_APP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "runtime/decision.h"
#include "runtime/fault.h"

/* Ticks of the board's clock that so many frames of the sensor take. */
#define TG_TICKS_OF_FRAMES(frames) ((double)(frames) * TG_TICK_HZ / TG_SAMPLE_RATE_HZ)

typedef struct {
    tg_decision_config decision; /* of the codes below */
    tg_decision_codes codes[TG_MODEL_OUTPUTS];
    bool has_fault_gate;
    tg_fault_limits limits[TG_CHANNELS];
    tg_fault_timing timing;
} tg_settings;

extern const tg_settings tg_built_in_settings;

/* Whether the product can go by them: it has room for the average, and no rule of decision.h or fault.h is broken. */
bool tg_settings_check(const tg_settings *settings);

/* Reads a section. False if it has another form, or is not of TG_MODEL_OUTPUTS and TG_CHANNELS. */
bool tg_settings_read(tg_settings *settings, const uint8_t *section, uint32_t bytes);

#endif
