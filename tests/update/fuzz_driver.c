/* A small fuzzer guided by coverage, for compilers that come without one.
 *
 *     fuzz <executions> <seed> <corpus folder> <file for an input that fails> [<folder for inputs that are kept>]
 *
 * Mutates inputs of the corpus and keeps, in memory, those that reach a pair of consecutive places that none before
 * reached; the folder gets them at the end. The same seed and corpus give the same run. The input that is running when a check fails is written to the
 * file. The code under test is compiled with -fsanitize-coverage=trace-pc and linked without -pie, this file without.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BYTES 2048
#define MAX_INPUTS 4096
#define EDGES (1u << 16)
#define HANG_S 20

typedef struct {
    uint8_t bytes[MAX_BYTES];
    uint32_t size;
} input;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_cov_trace_pc(void);

static uint8_t seen[EDGES];
static uint32_t n_seen;
static uintptr_t before;
static input *inputs;
static uint32_t n_inputs;
static input now;
static const char *failed_path;
static uint64_t state;

/* Called at each basic block. */
void __sanitizer_cov_trace_pc(void)
{
    const uintptr_t here = (uintptr_t)__builtin_return_address(0);
    const uint32_t edge = (uint32_t)((here * 31) ^ before) % EDGES;
    before = here * 17;
    n_seen += !seen[edge];
    seen[edge] = 1;
}

/* xorshift64 (G. Marsaglia, Journal of Statistical Software 8, 2003). */
static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

static void write_input(const char *path, const input *one)
{
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        fwrite(one->bytes, 1, one->size, file);
        fclose(file);
    }
}

static void keep_failed(int signal_number)
{
    write_input(failed_path, &now);
    _exit(128 + signal_number);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void keep(const input *one)
{
    if (n_inputs < MAX_INPUTS) {
        inputs[n_inputs++] = *one;
    }
}

static void run(void)
{
    uint8_t *exact = malloc(now.size > 0 ? now.size : 1);
    memcpy(exact, now.bytes, now.size);
    before = 0;
    LLVMFuzzerTestOneInput(exact, now.size);
    free(exact);
}

static int read_corpus(const char *folder)
{
    struct dirent **names;
    const int n = scandir(folder, &names, NULL, by_name);
    for (int k = 0; k < n; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, names[k]->d_name);
        FILE *file = names[k]->d_name[0] != '.' ? fopen(path, "rb") : NULL;
        if (file != NULL) {
            now.size = (uint32_t)fread(now.bytes, 1, MAX_BYTES, file);
            fclose(file);
            run();
            keep(&now);
        }
        free(names[k]);
    }
    free(names);
    return n_inputs > 0;
}

static void put_word(uint32_t at)
{
    static const uint32_t words[] = { 0,    1,          2,          6,          16,        48,        64,
                                      160,  448,        512,        704,        0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                      0xFFFFFFF0, 0x32424754, 0x314D4754 };
    uint32_t word;
    memcpy(&word, &now.bytes[at], sizeof word);
    word = below(3) > 0 ? words[below(sizeof words / sizeof words[0])] : word + below(33) - 16;
    memcpy(&now.bytes[at], &word, sizeof word);
}

static void resize(void)
{
    const uint32_t size = below(4) > 0 ? now.size + below(33) - 16 : below(MAX_BYTES);
    if (size > 0 && size <= MAX_BYTES) {
        for (uint32_t i = now.size; i < size; i++) {
            now.bytes[i] = (uint8_t)below(256);
        }
        now.size = size;
    }
}

/* Takes a stretch of another input, from there or to here. */
static void splice(void)
{
    const input *other = &inputs[below(n_inputs)];
    const uint32_t least = other->size < now.size ? other->size : now.size;
    const uint32_t length = 1 + below(least);
    const uint32_t from = below(2) > 0 ? 0 : other->size - length;
    memcpy(&now.bytes[below(now.size - length + 1)], &other->bytes[from], length);
}

static void mutate(void)
{
    const uint32_t at = below(now.size);
    switch (below(7)) {
    case 0:
        now.bytes[at] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        now.bytes[at] = (uint8_t)below(256);
        break;
    case 2:
    case 3:
        if (now.size >= 5) {
            put_word(1 + below((now.size - 1) / 4) * 4);
        }
        break;
    case 4:
        resize();
        break;
    case 5:
        splice();
        break;
    default:
        now.bytes[0] = (uint8_t)below(7);
        break;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        return EXIT_FAILURE;
    }
    const uint32_t executions = (uint32_t)strtoul(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    failed_path = argv[4];
    inputs = calloc(MAX_INPUTS, sizeof *inputs);
    signal(SIGABRT, keep_failed);
    signal(SIGALRM, keep_failed);
    if (inputs == NULL || !read_corpus(argv[3])) {
        return EXIT_FAILURE;
    }
    const uint32_t n_corpus = n_inputs;
    for (uint32_t k = 0; k < executions; k++) {
        const uint32_t reached = n_seen;
        now = inputs[below(n_inputs)];
        for (uint32_t left = 1 + below(6); left > 0; left--) {
            mutate();
        }
        alarm(HANG_S);
        run();
        if (n_seen > reached) {
            keep(&now);
        }
    }
    printf("%u executions, %u inputs, %u kept, %u edges\n", executions, n_corpus, n_inputs - n_corpus, n_seen);
    for (uint32_t k = n_corpus; k < n_inputs && argc > 5; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/found-%04u", argv[5], k - n_corpus);
        write_input(path, &inputs[k]);
    }
    free(inputs);
    return EXIT_SUCCESS;
}
