#include "decision.h"

void tg_decision_init(tg_decision *decision, int32_t threshold_code)
{
    *decision = (tg_decision){ .threshold_code = threshold_code };
}

bool tg_decision_update(tg_decision *decision, int8_t code)
{
    const bool anomalous = code >= decision->threshold_code;
    decision->windows++;
    decision->anomalies += anomalous;
    return anomalous;
}
