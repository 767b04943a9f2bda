/* From a class per window to an alarm, so that one wrong window raises none.
 *
 * The state is a level from 0 to `full`. A positive window moves it up by one, any other down by one, not beyond its
 * ends. There is an alarm while the level is full:
 *
 *     level = min(level + 1, full)   if the window is positive,
 *             max(level - 1, 0)      otherwise
 *     alarm = level == full
 *
 *     full = 3:   0 <-> 1 <-> 2 <-> 3 (alarm)
 *
 * So the first alarm comes with the third positive window in a row, or later if others lie between. Any other window
 * ends the alarm, and the next positive one raises it again.
 */
#ifndef TG_RUNTIME_ACCUMULATE_H
#define TG_RUNTIME_ACCUMULATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t full; /* at least 1, which makes every positive window an alarm */
    uint32_t level;
    uint32_t alarms; /* times that the level became full */
} tg_accumulate;

void tg_accumulate_init(tg_accumulate *accumulate, uint32_t full);

/* Takes one window and returns whether there is an alarm. */
bool tg_accumulate_update(tg_accumulate *accumulate, bool positive);

#endif
