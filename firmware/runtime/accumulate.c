#include "accumulate.h"

void tg_accumulate_init(tg_accumulate *accumulate, uint32_t full)
{
    *accumulate = (tg_accumulate){ .full = full };
}

bool tg_accumulate_update(tg_accumulate *accumulate, bool positive)
{
    const bool was_full = accumulate->level == accumulate->full;
    if (positive) {
        accumulate->level += !was_full;
    } else {
        accumulate->level -= accumulate->level > 0;
    }
    const bool alarm = accumulate->level == accumulate->full;
    accumulate->alarms += alarm && !was_full;
    return alarm;
}
