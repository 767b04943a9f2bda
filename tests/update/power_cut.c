/* Cuts the power at every operation of the flash in an update, a rollback and a repair, and once more in the recovery.
 *
 *     power_cut <block bytes> <unit bytes> <slot blocks> <target> <three bundles> <second cuts>
 *
 * A story is what happens to a device from a known beginning, told again after every cut until its end is reached. After
 * each start it must hold that
 *
 *     - a slot runs, never the built-in model; and it, and every slot that is verified or more, holds one of the
 *       releases sent, byte by byte;
 *     - the record is consistent, and what runs is on trial or active by it;
 *     - nothing was programmed twice and no foreign block was touched;
 *
 * and it must come to its end as without any cut. The second cut is at each of so many first operations after the
 * first one. Prints, for each story, operations and cut points.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: %s; first cut at %u, way %u, second at %u, way %u\n", __func__, __LINE__, \
                    #condition, first.at, first.way, second.at, second.way);                \
            abort();                                                              \
        }                                                                         \
    } while (0)

#define NEVER UINT32_MAX
#define MAX_STARTS 2
#define WAYS 5 /* before, after, and three ways of a part */
#define PIECE 100
#define MAX_STORY_STARTS 10

typedef struct {
    uint8_t *bytes;
    uint32_t size;
} file;

typedef struct {
    uint32_t at;
    uint32_t way;
} cut;

typedef struct {
    const char *name;
    void (*begin)(device *it); /* from the factory */
    bool (*tell)(device *it);  /* after a start: goes on, and says whether this is the end */
} story;

static cut first, second; /* for messages */
static file old_release, new_release, next_release;
static uint32_t max_second;
static const tg_release built_in;

static file read_file(const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        exit(EXIT_FAILURE);
    }
    fseek(stream, 0, SEEK_END);
    const file read = { .bytes = malloc((size_t)ftell(stream)), .size = (uint32_t)ftell(stream) };
    rewind(stream);
    if (fread(read.bytes, 1, read.size, stream) != read.size) {
        exit(EXIT_FAILURE);
    }
    fclose(stream);
    return read;
}

static bool holds(device *it, uint32_t slot, const file *bundle)
{
    return memcmp(device_slot(it, slot), bundle->bytes, bundle->size) == 0;
}

static bool holds_a_release(device *it, uint32_t slot)
{
    return holds(it, slot, &old_release) || holds(it, slot, &new_release) || holds(it, slot, &next_release);
}

static uint8_t start(device *it, cut next)
{
    const tg_cut way = next.way == 0 ? TG_CUT_BEFORE : next.way == 1 ? TG_CUT_AFTER : TG_CUT_DURING;
    return device_start(it, next.at, way, next.way * 7919 + next.at);
}

/* Whether a release is in place and confirmed. */
static bool is_confirmed(device *it, const file *bundle)
{
    const uint8_t running = it->update.running;
    return running != TG_BUILT_IN && it->update.log.now.active == running && holds(it, running, bundle);
}

/* One start's worth of an update: on trial it is healthy, otherwise it is sent, and tried at the next start. */
static bool update_to(device *it, const file *bundle)
{
    if (is_confirmed(it, bundle)) {
        return true;
    }
    if (tg_update_health(&it->update, TG_UPDATE_OK) == TG_UPDATE_STATE &&
        tg_update_activate(&it->update) == TG_UPDATE_STATE &&
        device_receive(it, bundle->bytes, bundle->size, PIECE) == TG_UPDATE_OK) {
        (void)!tg_update_activate(&it->update);
    }
    return !it->flash.is_off && is_confirmed(it, bundle);
}

static void install(device *it, const file *bundle)
{
    for (int starts = 0; !update_to(it, bundle); starts++) {
        CHECK(starts < MAX_STORY_STARTS);
        start(it, (cut){ NEVER, 0 });
    }
}

/* Both slots are taken. */
static void begin_both(device *it)
{
    install(it, &old_release);
    install(it, &new_release);
}

static bool tell_update(device *it)
{
    return update_to(it, &next_release);
}

static void begin_trial(device *it)
{
    install(it, &old_release);
    CHECK(device_receive(it, new_release.bytes, new_release.size, PIECE) == TG_UPDATE_OK);
    CHECK(tg_update_activate(&it->update) == TG_UPDATE_OK);
}

/* The trial is found to be ill. */
static bool tell_illness(device *it)
{
    (void)!tg_update_health(&it->update, TG_UPDATE_OVER_BUDGET);
    return !it->flash.is_off && is_confirmed(it, &old_release);
}

/* The trial never says that it is healthy. */
static bool tell_silence(device *it)
{
    return is_confirmed(it, &old_release);
}

/* The new release is confirmed, and a bit of it rots. */
static void begin_rot(device *it)
{
    begin_both(it);
    device_slot(it, it->update.running)[TG_BUNDLE_BEGIN] ^= 1;
}

static bool tell_rot(device *it)
{
    return is_confirmed(it, &old_release);
}

static const story stories[] = {
    { "update", begin_both, tell_update },
    { "rollback of an ill trial", begin_trial, tell_illness },
    { "rollback of a silent trial", begin_trial, tell_silence },
    { "return from a damaged slot", begin_rot, tell_rot },
};

/* What must hold after any start that had power. */
static void check_device(device *it)
{
    const tg_metadata stored = device_metadata(it);
    const uint8_t running = it->update.running;
    CHECK(running != TG_BUILT_IN);
    CHECK(holds_a_release(it, running));
    CHECK(stored.magic == TG_METADATA_MAGIC && tg_metadata_is_consistent(&stored));
    CHECK(memcmp(&stored, &it->update.log.now, sizeof stored) == 0);
    CHECK(stored.active == running || stored.slot[running] == TG_SLOT_TRIAL);
    for (uint32_t s = 0; s < TG_UPDATE_SLOTS; s++) {
        CHECK(stored.slot[s] < TG_SLOT_VERIFIED || holds_a_release(it, s));
    }
    CHECK(it->flash.misuses == 0);
    CHECK(it->flash.erased[0] == 0);
}

/* Tells a story from a start to its end, or until the power fails. Returns the operations. */
static uint32_t tell(device *it, const story *of, cut next)
{
    uint32_t operations = 0;
    bool is_over = false;
    for (int starts = 0; !is_over; starts++) {
        CHECK(starts < MAX_STORY_STARTS);
        start(it, (cut){ next.at == NEVER ? NEVER : next.at - operations, next.way });
        if (!it->flash.is_off) {
            check_device(it);
            is_over = of->tell(it);
        }
        operations += it->flash.operations;
        is_over |= it->flash.is_off;
    }
    return operations;
}

/* Every second cut after a first one, among the next operations. Returns their number. */
static uint32_t cut_again(device *it, const device *after_first, const story *of)
{
    uint32_t cuts = 0;
    const uint32_t operations = tell(it, of, (cut){ NEVER, 0 });
    for (second.at = 0; second.at < operations && second.at < max_second; second.at++) {
        for (second.way = 0; second.way < WAYS; second.way++) {
            device_copy(it, after_first);
            tell(it, of, second);
            CHECK(it->flash.is_off);
            tell(it, of, (cut){ NEVER, 0 });
            cuts++;
        }
    }
    second = (cut){ NEVER, 0 };
    return cuts;
}

static void run(const story *of, const device_geometry *geometry, const tg_target *target)
{
    device *beginning = device_new(geometry, target, MAX_STARTS, &built_in);
    device *after_first = device_new(geometry, target, MAX_STARTS, &built_in);
    device *it = device_new(geometry, target, MAX_STARTS, &built_in);
    uint32_t firsts = 0;
    uint32_t seconds = 0;
    of->begin(beginning);
    device_copy(it, beginning);
    const uint32_t operations = tell(it, of, (cut){ NEVER, 0 });
    for (first.at = 0; first.at < operations; first.at++) {
        for (first.way = 0; first.way < WAYS; first.way++) {
            device_copy(after_first, beginning);
            tell(after_first, of, first);
            CHECK(after_first->flash.is_off);
            device_copy(it, after_first);
            seconds += cut_again(it, after_first, of);
            firsts++;
        }
    }
    printf("%s: %u operations, %u cut points, %u of a second cut\n", of->name, operations, firsts, seconds);
    device_free(beginning);
    device_free(after_first);
    device_free(it);
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        return EXIT_FAILURE;
    }
    const device_geometry geometry = { .block_bytes = (uint32_t)atoi(argv[1]),
                                       .unit_bytes = (uint32_t)atoi(argv[2]),
                                       .slot_blocks = (uint32_t)atoi(argv[3]) };
    tg_target target;
    const file described = read_file(argv[4]);
    old_release = read_file(argv[5]);
    new_release = read_file(argv[6]);
    next_release = read_file(argv[7]);
    max_second = (uint32_t)atoi(argv[8]);
    first = second = (cut){ NEVER, 0 };
    CHECK(described.size == sizeof target);
    memcpy(&target, described.bytes, sizeof target);
    for (size_t k = 0; k < sizeof stories / sizeof stories[0]; k++) {
        run(&stories[k], &geometry, &target);
    }
    free(described.bytes);
    free(old_release.bytes);
    free(new_release.bytes);
    free(next_release.bytes);
    return EXIT_SUCCESS;
}
