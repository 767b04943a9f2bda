/* The last windows in memory, for a host to read. stages/core/runtime/log.py decodes it.
 *
 * A log is a header and behind it `capacity` records, little-endian, as they lie in memory; nothing is formatted here.
 * Record number i, from 0, is at i % capacity: of `written` records the last `capacity` are there.
 */
#ifndef TG_RUNTIME_LOG_H
#define TG_RUNTIME_LOG_H

#include <stdint.h>

#define TG_LOG_MAGIC UINT32_C(0x474C4754) /* "TGLG" */
#define TG_LOG_VERSION 1

typedef struct {
    uint32_t window;    /* its number, from 0 */
    uint32_t ticks;     /* that it took, by the board's clock */
    int32_t min;        /* of its counts, over all channels */
    int32_t max;
    int32_t score[2];   /* the largest score codes; of one output, the second is INT32_MIN */
    uint8_t output[2];  /* which outputs they are of */
    uint8_t class;      /* of the window, as in decision.h */
    uint8_t state;      /* after it */
    uint16_t causes;    /* of fault.h */
    uint16_t missed;    /* frames missed before it, at most 65535 */
} tg_log_record;

typedef struct {
    uint32_t magic;
    uint16_t version;
    uint16_t record_bytes;
    uint32_t capacity; /* records, a power of 2 */
    uint32_t written;  /* records so far, modulo 2^32 */
} tg_log;

_Static_assert(sizeof(tg_log_record) == 32, "a record has no padding");
_Static_assert(sizeof(tg_log) == 16, "a header has no padding");

/* An empty log whose records follow in memory. */
void tg_log_init(tg_log *log, uint32_t capacity);

/* Puts the largest two of `outputs` codes into a record, the first of equals first. */
void tg_log_top(tg_log_record *record, const int32_t *codes, uint32_t outputs);

/* Appends a record to those behind the header, over the oldest if there is no room. */
void tg_log_append(tg_log *log, tg_log_record *records, const tg_log_record *record);

#endif
