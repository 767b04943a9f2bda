/* From scores to a class.
 *
 * Classes are in order of severity; class 0 is normal. Score k says how far a window is of class k + 1 or of a more
 * severe one, and counts if it reaches threshold k. The window's class is the most severe one whose score counts:
 *
 *     class = max { k + 1 : code[k] >= threshold_code[k] }, or 0 if there is none
 *
 * Scores and thresholds are int32 codes in the order of the scores, whatever the network computes in.
 */
#ifndef TG_RUNTIME_DECISION_H
#define TG_RUNTIME_DECISION_H

#include <stdint.h>

typedef struct {
    const int32_t *threshold_codes; /* [outputs], owned by the caller */
    uint32_t outputs;               /* classes above the first, at most 255 */
    uint32_t windows;
    uint32_t anomalies; /* windows of any class but 0 */
} tg_decision;

void tg_decision_init(tg_decision *decision, const int32_t *threshold_codes, uint32_t outputs);

/* Decides one window from its `outputs` codes and counts it. Returns its class. */
uint8_t tg_decision_update(tg_decision *decision, const int32_t *codes);

#endif
