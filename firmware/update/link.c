#include "link.h"

#include <string.h>

#include "runtime/crc32.h"

#define HEADER_BYTES 8
#define CRC_BYTES 4

typedef struct {
    uint8_t version;
    uint8_t type;
    uint16_t result;
    uint32_t sequence;
} frame_header;

_Static_assert(sizeof(frame_header) == HEADER_BYTES, "a header has no padding");

static uint32_t put_frame(uint8_t *out, const frame_header *header, const void *content, uint32_t bytes)
{
    uint8_t frame[TG_LINK_MAX_ANSWER];
    memcpy(frame, header, HEADER_BYTES);
    memcpy(&frame[HEADER_BYTES], content, bytes);
    const uint32_t crc = tg_crc32(frame, HEADER_BYTES + bytes);
    memcpy(&frame[HEADER_BYTES + bytes], &crc, CRC_BYTES);
    tg_cobs cobs = tg_cobs_begin(out);
    for (uint32_t i = 0; i < HEADER_BYTES + bytes + CRC_BYTES; i++) {
        tg_cobs_put(&cobs, frame[i]);
    }
    return tg_cobs_end(&cobs);
}

static tg_link_status status_of(const tg_update *update)
{
    const tg_metadata *now = &update->log.now;
    const bool is_built_in = update->running == TG_BUILT_IN;
    return (tg_link_status){ .running = update->running,
                             .slot = { now->slot[0], now->slot[1] },
                             .active = now->active,
                             .starts = now->starts,
                             .result = now->result,
                             .release = now->release,
                             .running_release =
                                 is_built_in ? update->config->built_in : update->bundle.header.release };
}

/* Does what is asked for, and says how it went. */
static tg_update_result act(tg_link *link, uint8_t type, const uint8_t *content, uint32_t bytes)
{
    uint32_t announced;
    switch (type) {
    case TG_LINK_STATUS:
        return TG_UPDATE_OK;
    case TG_LINK_BEGIN:
        if (bytes != sizeof announced) {
            return TG_UPDATE_SIZE;
        }
        memcpy(&announced, content, sizeof announced);
        return tg_update_begin(link->update, announced);
    case TG_LINK_DATA:
        return tg_update_write(link->update, content, bytes);
    case TG_LINK_FINISH:
        return tg_update_finish(link->update);
    case TG_LINK_ACTIVATE:
        return tg_update_activate(link->update);
    case TG_LINK_RESTART:
        link->is_restart_due = true;
        return TG_UPDATE_OK;
    case TG_LINK_BLOCK:
        return link->block(link->context, content, bytes, link->records, &link->record_bytes);
    default:
        return TG_UPDATE_STATE;
    }
}

static uint32_t answer(tg_link *link, const uint8_t *frame, uint32_t length, uint8_t *out)
{
    frame_header header;
    memcpy(&header, frame, HEADER_BYTES);
    const uint8_t *content = &frame[HEADER_BYTES];
    const uint32_t bytes = length - HEADER_BYTES - CRC_BYTES;
    const uint8_t type = header.type;
    header.type |= TG_LINK_ANSWER;
    const bool is_again = link->has_answered && type == link->last_type && header.sequence == link->last_sequence;
    if (!is_again) {
        link->record_bytes = 0;
        link->last_result = act(link, type, content, bytes);
        link->last_type = type;
        link->last_sequence = header.sequence;
        link->has_answered = true;
    }
    header.result = (uint16_t)link->last_result;
    if (type == TG_LINK_BLOCK) {
        return put_frame(out, &header, link->records, link->record_bytes);
    }
    const tg_link_status status = status_of(link->update);
    return put_frame(out, &header, &status, sizeof status);
}

/* Whether what stood between two zeros is a question; it is unstuffed in place. */
static uint32_t read_frame(tg_link *link)
{
    if (link->length > sizeof link->packet) {
        return 0;
    }
    const uint32_t length = tg_cobs_decode(link->packet, link->length);
    if (length < HEADER_BYTES + CRC_BYTES || link->packet[0] != TG_LINK_VERSION) {
        return 0;
    }
    uint32_t crc;
    memcpy(&crc, &link->packet[length - CRC_BYTES], CRC_BYTES);
    return crc == tg_crc32(link->packet, length - CRC_BYTES) ? length : 0;
}

uint32_t tg_link_feed(tg_link *link, uint8_t byte, uint8_t out[TG_LINK_OUT_BYTES])
{
    if (byte != 0) {
        if (link->length < sizeof link->packet) {
            link->packet[link->length] = byte;
        }
        link->length += link->length <= sizeof link->packet;
        return 0;
    }
    const uint32_t length = read_frame(link);
    link->length = 0;
    return length > 0 ? answer(link, link->packet, length, out) : 0;
}
