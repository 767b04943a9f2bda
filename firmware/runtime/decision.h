/* From score to decision: a window is anomalous if and only if its output code reaches the threshold. */
#ifndef TG_RUNTIME_DECISION_H
#define TG_RUNTIME_DECISION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int32_t threshold_code; /* -128 is always, 128 is never */
    uint32_t windows;
    uint32_t anomalies;
} tg_decision;

void tg_decision_init(tg_decision *decision, int32_t threshold_code);

/* Decides one window and counts it. */
bool tg_decision_update(tg_decision *decision, int8_t code);

#endif
