/* Runs one generated network, compiled once per network with names of its own: reads a u32 number of windows, a u32 that
 * tells whether each begins one hop after the one before, and their input codes. Writes after each operation its output
 * and a u64, the ticks it took, and after the last the score codes. Of windows that follow one another it runs the whole
 * network, and then writes what the outputs' bytes hold, and the ticks of it all as those of each. */
#include "boards/common/host.h"
#include "model.h"

bool TG_CASE(void);

/* Under the address sanitizer, makes an error of any access to the arena outside the tensors. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

static void guard_arena(void)
{
    __asan_poison_memory_region(tg_model_arena(), TG_ARENA_BYTES);
    __asan_unpoison_memory_region(tg_model_input(), TG_MODEL_INPUT_BYTES);
    for (uint32_t i = 0; i < TG_MODEL_OPS; i++) {
        __asan_unpoison_memory_region(tg_model_ops[i].output, tg_model_ops[i].output_bytes);
    }
}
#else
static void guard_arena(void)
{
}
#endif

/* Ticks of a call, or of calling nothing. The pointer is volatile, so that the compiler neither inlines the call nor
 * moves it across a reading of the clock. */
static uint64_t ticks_of(void (*function)(void))
{
    void (*volatile run)(void) = function;
    const uint64_t begin = tg_clock_ticks();
    __asm__ volatile("" ::: "memory");
    run();
    __asm__ volatile("" ::: "memory");
    return tg_clock_ticks() - begin;
}

static void nothing(void)
{
}

static uint64_t measure(void (*function)(void))
{
    const uint64_t overhead = ticks_of(nothing);
    return ticks_of(function) - overhead;
}

static bool run_window(bool stream, bool first)
{
    bool done = tg_host_read(tg_model_input(), TG_MODEL_INPUT_BYTES);
    uint64_t ticks = stream ? measure(first ? tg_model_run : tg_model_run_next) : 0;
    for (uint32_t i = 0; done && i < TG_MODEL_OPS; i++) {
        const tg_op *op = &tg_model_ops[i];
        ticks = stream ? ticks : measure(op->run);
        done = tg_host_write(op->output, op->output_bytes) && tg_host_write(&ticks, sizeof ticks);
    }
    for (uint32_t k = 0; done && k < TG_MODEL_OUTPUTS; k++) {
        const int32_t code = tg_model_score(k);
        done = tg_host_write(&code, sizeof code);
    }
    return done && tg_model_arena_intact();
}

bool TG_CASE(void)
{
    uint32_t n_windows;
    uint32_t stream;
    bool done = tg_host_read(&n_windows, sizeof n_windows) && tg_host_read(&stream, sizeof stream);
    tg_model_init();
    guard_arena();
    for (uint32_t i = 0; done && i < n_windows; i++) {
        done = run_window(stream, i == 0);
    }
    return done;
}
