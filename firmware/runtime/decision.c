#include "decision.h"

void tg_decision_init(tg_decision *decision, const int32_t *threshold_codes, uint32_t outputs)
{
    *decision = (tg_decision){ .threshold_codes = threshold_codes, .outputs = outputs };
}

uint8_t tg_decision_update(tg_decision *decision, const int32_t *codes)
{
    uint8_t class = 0;
    for (uint32_t k = 0; k < decision->outputs; k++) {
        if (codes[k] >= decision->threshold_codes[k]) {
            class = (uint8_t)(k + 1);
        }
    }
    decision->windows++;
    decision->anomalies += class > 0;
    return class;
}
