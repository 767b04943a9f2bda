#include <stdlib.h>
#include <string.h>

#include "boards/common/host.h"
#include "model.h"
#include "preprocess.h"
#include "protocol.h"

#define FNV_OFFSET UINT32_C(2166136261)
#define FNV_PRIME UINT32_C(16777619)

typedef struct {
    uint32_t magic, mode, window, channels, sample_bytes, n_windows, repeats;
} request_header;

typedef struct {
    uint64_t max, total;
} timing;

/* What one execution of a window computed. */
typedef struct {
    int32_t scores[TG_MODEL_OUTPUTS];
    uint32_t codes_hash;
    uint32_t tensors_hash;
} result;

static tg_sample samples[TG_WINDOW * TG_CHANNELS];
static timing preprocess_time;
static timing op_time[TG_MODEL_OPS];
static timing run_time;
static uint64_t clock_overhead; /* ticks between two readings of the clock with nothing in between */

static void put(const void *data, uint32_t bytes)
{
    if (!tg_host_write(data, bytes)) {
        tg_host_exit(EXIT_FAILURE);
    }
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof value);
}

static uint32_t fnv1a(uint32_t hash, const void *data, uint32_t n)
{
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < n; i++) {
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    }
    return hash;
}

static void record(timing *time, uint64_t begin, uint64_t end)
{
    const uint64_t ticks = end - begin > clock_overhead ? end - begin - clock_overhead : 0;
    time->max = ticks > time->max ? ticks : time->max;
    time->total += ticks;
}

static void preprocess(void)
{
    const uint64_t begin = tg_clock_ticks();
    tg_preprocess(samples, tg_model_input());
    record(&preprocess_time, begin, tg_clock_ticks());
}

static void run_op(uint32_t i)
{
    const uint64_t begin = tg_clock_ticks();
    tg_model_ops[i].run();
    record(&op_time[i], begin, tg_clock_ticks());
}

static void read_scores(int32_t scores[TG_MODEL_OUTPUTS])
{
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        scores[k] = tg_model_score(k);
    }
}

static result execute(void)
{
    result r = { .tensors_hash = FNV_OFFSET };
    preprocess();
    r.codes_hash = fnv1a(FNV_OFFSET, tg_model_input(), TG_MODEL_INPUT_BYTES);
    for (uint32_t i = 0; i < TG_MODEL_OPS; i++) {
        run_op(i);
        r.tensors_hash = fnv1a(r.tensors_hash, tg_model_ops[i].output, tg_model_ops[i].output_bytes);
    }
    read_scores(r.scores);
    return r;
}

static bool same(const result *a, const result *b)
{
    return memcmp(a->scores, b->scores, sizeof a->scores) == 0 && a->codes_hash == b->codes_hash &&
           a->tensors_hash == b->tensors_hash;
}

/* The network as the app runs it, without reading the clock between operators. */
static bool whole_run_gives(const result *first)
{
    tg_preprocess(samples, tg_model_input());
    const uint64_t begin = tg_clock_ticks();
    tg_model_run();
    record(&run_time, begin, tg_clock_ticks());
    int32_t scores[TG_MODEL_OUTPUTS];
    read_scores(scores);
    return memcmp(first->scores, scores, sizeof scores) == 0;
}

static void run_window(uint32_t repeats)
{
    const result first = execute();
    uint32_t mismatches = whole_run_gives(&first) ? 0 : 1;
    for (uint32_t i = 1; i < repeats; i++) {
        const result again = execute();
        mismatches += !same(&first, &again);
    }
    put(first.scores, sizeof first.scores);
    put_u32(first.codes_hash);
    put_u32(first.tensors_hash);
    put_u32(mismatches);
}

static void trace_window(void)
{
    preprocess();
    put(tg_model_input(), TG_MODEL_INPUT_BYTES);
    for (uint32_t i = 0; i < TG_MODEL_OPS; i++) {
        run_op(i);
        put(tg_model_ops[i].output, tg_model_ops[i].output_bytes);
    }
    tg_preprocess(samples, tg_model_input());
    const uint64_t begin = tg_clock_ticks();
    tg_model_run();
    record(&run_time, begin, tg_clock_ticks());
}

static uint32_t arena_used_over(uint8_t paint)
{
    const int8_t *arena = tg_model_arena();
    memset(tg_model_arena(), paint, TG_ARENA_BYTES);
    tg_preprocess(samples, tg_model_input());
    tg_model_run();
    uint32_t used = TG_ARENA_BYTES;
    while (used > 0 && (uint8_t)arena[used - 1] == paint) {
        used--;
    }
    return used;
}

/* A byte that happens to equal one paint does not equal the other. */
static uint32_t measure_arena_used(void)
{
    const uint32_t a = arena_used_over(0xA5);
    const uint32_t b = arena_used_over(0x5A);
    return a > b ? a : b;
}

static tg_status check(const request_header *request)
{
    const bool trace = request->mode == TG_MODE_TRACE;
    const bool single = request->n_windows == 1 && request->repeats == 1;
    if (request->magic != TG_REQUEST_MAGIC || (request->mode != TG_MODE_RUN && !trace) || request->repeats == 0 ||
        (trace && !single)) {
        return TG_STATUS_REQUEST;
    }
    const bool fits = request->window == TG_WINDOW && request->channels == TG_CHANNELS &&
                      request->sample_bytes == sizeof(tg_sample);
    return fits ? TG_STATUS_OK : TG_STATUS_SHAPE;
}

static void put_header(tg_status status)
{
    put_u32(TG_RESPONSE_MAGIC);
    put_u32(status);
    if (status == TG_STATUS_OK) {
        put_u32(TG_MODEL_INPUT_BYTES);
        put_u32(TG_MODEL_OUTPUTS);
        put_u32(TG_MODEL_OPS);
        for (uint32_t i = 0; i < TG_MODEL_OPS; i++) {
            put_u32(tg_model_ops[i].output_bytes);
        }
    }
}

static void put_trailer(tg_status status, uint32_t arena_used)
{
    put(&preprocess_time, sizeof preprocess_time);
    put(op_time, sizeof op_time);
    put(&run_time, sizeof run_time);
    put_u32(status);
    put_u32(tg_model_arena_intact());
    put_u32(TG_ARENA_BYTES);
    put_u32(arena_used);
    put_u32(tg_stack_bytes());
    put_u32(tg_stack_used());
    put_u32(TG_RESPONSE_END);
}

static void serve(const request_header *request)
{
    tg_status status = TG_STATUS_OK;
    uint32_t arena_used = 0;
    for (uint32_t i = 0; i < request->n_windows; i++) {
        if (!tg_host_read(samples, sizeof samples)) {
            status = TG_STATUS_SHORT;
            break;
        }
        if (i == 0) {
            arena_used = measure_arena_used();
        }
        if (request->mode == TG_MODE_TRACE) {
            trace_window();
        } else {
            run_window(request->repeats);
        }
    }
    put_trailer(status, arena_used);
}

static void calibrate_clock(void)
{
    tg_clock_init();
    (void)tg_clock_ticks();
    const uint64_t begin = tg_clock_ticks();
    const uint64_t end = tg_clock_ticks();
    clock_overhead = end - begin;
}

int main(void)
{
    request_header request = { 0 };
    if (!tg_host_open()) {
        tg_host_exit(EXIT_FAILURE);
    }
    calibrate_clock();
    tg_model_init();
    tg_status status = TG_STATUS_REQUEST;
    if (tg_host_read(&request, sizeof request)) {
        status = check(&request);
    }
    put_header(status);
    if (status == TG_STATUS_OK) {
        serve(&request);
    }
    tg_host_exit(EXIT_SUCCESS);
}
