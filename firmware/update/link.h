/* Updates over a byte stream. A host asks, the device answers each question once; docs/update.md has both sides.
 *
 * A frame, little-endian, is sent as one COBS packet (runtime/cobs.h):
 *
 *     u8   version   TG_LINK_VERSION
 *     u8   type      of the question; in an answer TG_LINK_ANSWER is added
 *     u16  result    tg_update_result; 0 in a question
 *     u32  sequence  the host's number of the question, repeated in the answer
 *     ...  content
 *     u32  crc32     of everything before it (runtime/crc32.h)
 *
 *     question          content               does
 *     TG_LINK_STATUS                          nothing
 *     TG_LINK_BEGIN     u32 bytes             tg_update_begin
 *     TG_LINK_DATA      bytes                 tg_update_write
 *     TG_LINK_FINISH                          tg_update_finish
 *     TG_LINK_ACTIVATE                        tg_update_activate
 *     TG_LINK_RESTART                         has the device start anew after the answer
 *     TG_LINK_BLOCK     of the sensor         feeds it to what runs now; the answer's content is what that decided
 *
 * The content of every other answer is a tg_link_status. A packet that is no such frame gets no answer. A question with
 * the number and type of the last one is not acted on again, but answered again: so a host that hears nothing asks again.
 */
#ifndef TG_UPDATE_LINK_H
#define TG_UPDATE_LINK_H

#include "runtime/cobs.h"
#include "update.h"

#define TG_LINK_VERSION 1
#define TG_LINK_ANSWER 0x80
#define TG_LINK_MAX_CONTENT 1024
#define TG_LINK_MAX_FRAME (8 + TG_LINK_MAX_CONTENT + 4)
#define TG_LINK_MAX_RECORDS 256 /* bytes of what a block decided */

typedef enum {
    TG_LINK_STATUS = 16,
    TG_LINK_BEGIN = 17,
    TG_LINK_DATA = 18,
    TG_LINK_FINISH = 19,
    TG_LINK_ACTIVATE = 20,
    TG_LINK_RESTART = 21,
    TG_LINK_BLOCK = 22,
} tg_link_question;

typedef struct {
    uint8_t running; /* slot, or TG_BUILT_IN */
    uint8_t slot[TG_UPDATE_SLOTS];
    uint8_t active;
    uint8_t starts;
    uint8_t result; /* the last one, and its release */
    uint8_t reserved[2];
    tg_release release;
    tg_release running_release; /* of the configuration for the built-in model */
} tg_link_status;

_Static_assert(sizeof(tg_link_status) == 32, "a status has no padding");

#define TG_LINK_MAX_ANSWER (8 + TG_LINK_MAX_RECORDS + 4)
#define TG_LINK_OUT_BYTES TG_COBS_MAX_BYTES(TG_LINK_MAX_ANSWER)

_Static_assert(sizeof(tg_link_status) <= TG_LINK_MAX_RECORDS, "a status fits an answer");

typedef struct {
    tg_update *update;
    /* Takes a block as it came: OK, or SIZE if it is none. Fills in what that decided, and how many bytes it is. */
    tg_update_result (*block)(void *context, const uint8_t *content, uint32_t bytes,
                              uint8_t records[TG_LINK_MAX_RECORDS], uint32_t *record_bytes);
    void *context;

    uint8_t packet[TG_COBS_MAX_BYTES(TG_LINK_MAX_FRAME)];
    uint32_t length; /* of the packet so far; one more than it holds if it is too long */
    bool is_restart_due;
    bool has_answered;
    uint8_t last_type;
    uint32_t last_sequence;
    tg_update_result last_result;
    uint8_t records[TG_LINK_MAX_RECORDS]; /* of the last question */
    uint32_t record_bytes;
} tg_link;

/* Takes the next byte. Returns the bytes of the answer that it completes a question for, mostly 0. */
uint32_t tg_link_feed(tg_link *link, uint8_t byte, uint8_t out[TG_LINK_OUT_BYTES]);

#endif
