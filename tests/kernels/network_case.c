/* Runs one generated network, compiled once per network with names of its own: reads a u32 number of windows and their
 * input codes, and writes after each operation its output and a u64, the ticks it took, and after the last the score
 * codes. */
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

static bool run_op(const tg_op *op)
{
    const uint64_t overhead = ticks_of(nothing);
    const uint64_t ticks = ticks_of(op->run) - overhead;
    return tg_host_write(op->output, op->output_bytes) && tg_host_write(&ticks, sizeof ticks);
}

static bool run_window(void)
{
    bool done = tg_host_read(tg_model_input(), TG_MODEL_INPUT_BYTES);
    for (uint32_t i = 0; done && i < TG_MODEL_OPS; i++) {
        done = run_op(&tg_model_ops[i]);
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
    bool done = tg_host_read(&n_windows, sizeof n_windows);
    tg_model_init();
    guard_arena();
    for (uint32_t i = 0; done && i < n_windows; i++) {
        done = run_window();
    }
    return done;
}
