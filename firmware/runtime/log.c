#include "log.h"

void tg_log_init(tg_log *log, uint32_t capacity)
{
    *log = (tg_log){ .magic = TG_LOG_MAGIC,
                     .version = TG_LOG_VERSION,
                     .record_bytes = sizeof(tg_log_record),
                     .capacity = capacity };
}

void tg_log_top(tg_log_record *record, const int32_t *codes, uint32_t outputs)
{
    record->score[0] = codes[0];
    record->score[1] = INT32_MIN;
    record->output[0] = record->output[1] = 0;
    for (uint32_t k = 1; k < outputs; k++) {
        if (codes[k] > record->score[0]) {
            record->score[1] = record->score[0];
            record->output[1] = record->output[0];
            record->score[0] = codes[k];
            record->output[0] = (uint8_t)k;
        } else if (k == 1 || codes[k] > record->score[1]) {
            record->score[1] = codes[k];
            record->output[1] = (uint8_t)k;
        }
    }
}

void tg_log_append(tg_log *log, tg_log_record *records, const tg_log_record *record)
{
    records[log->written % log->capacity] = *record;
    log->written++;
}
