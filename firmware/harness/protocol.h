/* What the harness reads and writes. stages/core/device/harness.py is the other side.
 *
 * All words are little-endian. Ticks are of the board's clock; a board without one reports 0.
 *
 * request.bin
 *     u32  TG_REQUEST_MAGIC
 *     u32  mode: TG_MODE_RUN or TG_MODE_TRACE
 *     u32  window           must be the firmware's, frames
 *     u32  channels         must be the firmware's
 *     u32  sample_bytes     must be the firmware's
 *     u32  n_windows        TG_MODE_TRACE: 1
 *     u32  repeats          at least 1; TG_MODE_TRACE: 1
 *     i16 or i32  samples[n_windows][window][channels]
 *
 * response.bin
 *     u32  TG_RESPONSE_MAGIC
 *     u32  status           tg_status; nothing follows unless TG_STATUS_OK
 *     u32  input_bytes      of the network
 *     u32  outputs          of the network
 *     u32  n_ops
 *     u32  op_bytes[n_ops]  of each operator's output
 *
 *     TG_MODE_RUN, for each window:
 *     i32  score[outputs]   score codes
 *     u32  codes_hash       of the preprocessed window
 *     u32  tensors_hash     of the operators' outputs, one after another
 *     u32  mismatches       executions of this window whose scores, codes or tensors differ from the first
 *
 *     TG_MODE_TRACE:
 *     i8   codes[input_bytes]
 *     u8   output[op_bytes[i]] for each operator: its elements in memory, of whatever type
 *
 *     trailer:
 *     (u64 max, u64 total) ticks of preprocessing, then of each operator, then of a whole tg_model_run;
 *                           preprocessing and operators once per window and repeat, the whole run once per window
 *     u32  status           TG_STATUS_SHORT if the samples ended early
 *     u32  arena_intact     1 if the guard words hold
 *     u32  arena_bytes
 *     u32  arena_used       highest byte written, plus one, measured by painting on the first window
 *     u32  stack_bytes      0 where the board does not own its stack
 *     u32  stack_used
 *     u32  TG_RESPONSE_END
 *
 * Hashes are FNV-1a, 32 bits (Fowler, Noll, Vo).
 */
#ifndef TG_HARNESS_PROTOCOL_H
#define TG_HARNESS_PROTOCOL_H

#define TG_REQUEST_MAGIC 0x32524754u  /* "TGR2" */
#define TG_RESPONSE_MAGIC 0x32415447u /* "GTA2" */
#define TG_RESPONSE_END 0x444E4547u   /* "GEND" */

enum { TG_MODE_RUN = 1, TG_MODE_TRACE = 2 };

typedef enum {
    TG_STATUS_OK = 0,
    TG_STATUS_REQUEST = 1, /* wrong magic, mode or counts */
    TG_STATUS_SHAPE = 2,   /* window, channels or sample_bytes are not the firmware's */
    TG_STATUS_SHORT = 3,   /* request.bin ended before the last window */
} tg_status;

#endif
