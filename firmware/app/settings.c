#include "settings.h"

#include <string.h>

#define LAYOUT 1

/* The section, before its codes and limits. */
typedef struct {
    uint32_t layout;
    uint32_t outputs;
    uint32_t channels; /* with limits: all, or none */
    uint32_t pick;
    uint32_t hysteresis;
    uint32_t margin;
    uint32_t average;
    uint32_t need;
    uint32_t of;
    uint32_t accumulate;
    uint32_t min_hold;
    uint32_t cooldown;
    uint32_t min_frames;
    uint32_t max_frames;
    uint32_t reserved[2];
} section_header;

_Static_assert(sizeof(section_header) == 64 && sizeof(tg_decision_codes) == 16 && sizeof(tg_fault_limits) == 40,
               "the parts of a section have no padding");

const tg_settings tg_built_in_settings = {
    .decision = {
        .codes = tg_built_in_settings.codes,
        .outputs = TG_MODEL_OUTPUTS,
        .pick = TG_DECISION_PICK,
        .hysteresis = TG_DECISION_HYSTERESIS,
        .margin = TG_DECISION_MARGIN,
        .average = TG_DECISION_AVERAGE,
        .need = TG_DECISION_NEED,
        .of = TG_DECISION_OF,
        .accumulate = TG_DECISION_ACCUMULATE,
        .min_hold = TG_DECISION_MIN_HOLD,
        .cooldown = TG_DECISION_COOLDOWN,
    },
    .codes = TG_DECISION_CODES,
    .has_fault_gate = TG_FAULT_GATE,
    .limits = TG_FAULT_LIMITS,
    .timing = {
        .max_missed = UINT32_MAX, /* a gap is the decision's */
        .min_ticks = (uint32_t)TG_TICKS_OF_FRAMES(TG_FAULT_MIN_FRAMES),
        .max_ticks = TG_TICKS_OF_FRAMES(TG_FAULT_MAX_FRAMES) < UINT32_MAX
                         ? (uint32_t)TG_TICKS_OF_FRAMES(TG_FAULT_MAX_FRAMES)
                         : UINT32_MAX,
    },
};

_Static_assert(sizeof((tg_decision_codes[])TG_DECISION_CODES) == sizeof tg_built_in_settings.codes, "one per output");
_Static_assert(sizeof((tg_fault_limits[])TG_FAULT_LIMITS) == sizeof tg_built_in_settings.limits, "one per channel");

bool tg_settings_check(const tg_settings *settings)
{
    for (uint32_t c = 0; c < TG_CHANNELS && settings->has_fault_gate; c++) {
        if (tg_fault_check(&settings->limits[c], &settings->timing, TG_WINDOW) != TG_FAULT_FINE) {
            return false;
        }
    }
    return settings->decision.average <= TG_DECISION_AVERAGE &&
           tg_decision_check(&settings->decision) == TG_DECISION_FINE;
}

static uint32_t ticks_of(uint32_t frames)
{
    const double ticks = TG_TICKS_OF_FRAMES(frames);
    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

static bool is_of_this_form(const section_header *header, uint32_t bytes)
{
    const uint32_t limits = header->channels == 0 ? 0 : sizeof(tg_fault_limits[TG_CHANNELS]);
    return header->layout == LAYOUT && header->outputs == TG_MODEL_OUTPUTS &&
           (header->channels == 0 || header->channels == TG_CHANNELS) && header->hysteresis <= 1 &&
           (header->reserved[0] | header->reserved[1]) == 0 &&
           bytes == sizeof *header + sizeof(tg_decision_codes[TG_MODEL_OUTPUTS]) + limits;
}

bool tg_settings_read(tg_settings *settings, const uint8_t *section, uint32_t bytes)
{
    section_header header;
    if (bytes < sizeof header) {
        return false;
    }
    memcpy(&header, section, sizeof header);
    if (!is_of_this_form(&header, bytes)) {
        return false;
    }
    settings->decision = (tg_decision_config){
        .codes = settings->codes,
        .outputs = header.outputs,
        .pick = (tg_pick)header.pick,
        .hysteresis = header.hysteresis,
        .margin = header.margin,
        .average = header.average,
        .need = header.need,
        .of = header.of,
        .accumulate = header.accumulate,
        .min_hold = header.min_hold,
        .cooldown = header.cooldown,
    };
    memcpy(settings->codes, &section[sizeof header], sizeof settings->codes);
    settings->has_fault_gate = header.channels != 0;
    if (settings->has_fault_gate) {
        memcpy(settings->limits, &section[sizeof header + sizeof settings->codes], sizeof settings->limits);
    }
    settings->timing = (tg_fault_timing){ .max_missed = UINT32_MAX,
                                          .min_ticks = ticks_of(header.min_frames),
                                          .max_ticks = ticks_of(header.max_frames) };
    return true;
}
