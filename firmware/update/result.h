/* What became of an update. The numbers are kept in flash and sent to the host, so they never change their meaning. */
#ifndef TG_UPDATE_RESULT_H
#define TG_UPDATE_RESULT_H

typedef enum {
    TG_UPDATE_OK = 0,
    TG_UPDATE_SIZE = 1,           /* longer than a slot, or not as long as it says */
    TG_UPDATE_MAGIC = 2,          /* no bundle */
    TG_UPDATE_FORMAT = 3,         /* of another version of the format */
    TG_UPDATE_LAYOUT = 4,         /* a table that the format does not give */
    TG_UPDATE_DOWNGRADE = 5,      /* a release before the latest confirmed one */
    TG_UPDATE_INTERFACE = 6,      /* another interface version */
    TG_UPDATE_BOARD = 7,          /* not for this board */
    TG_UPDATE_ARENA = 8,          /* needs a larger arena */
    TG_UPDATE_PREPROCESS = 9,     /* another preprocessing */
    TG_UPDATE_GRAPH = 10,         /* a network that is not compiled in */
    TG_UPDATE_HASH = 11,          /* a section that is not what the table says */
    TG_UPDATE_UNSIGNED = 12,      /* a development release */
    TG_UPDATE_SIGNATURE = 13,     /* not signed with this device's key */
    TG_UPDATE_SELF_TEST = 14,     /* other scores than the bundle promises */
    TG_UPDATE_OVER_BUDGET = 15,   /* the right scores, but too late */
    TG_UPDATE_NOT_CONFIRMED = 16, /* started as often as it may be, and never found healthy */
    TG_UPDATE_INTERRUPTED = 17,   /* the device started anew while it was being received */
    TG_UPDATE_FLASH = 18,         /* an operation of the flash failed */
    TG_UPDATE_STATE = 19,         /* not the time for it */
    TG_UPDATE_CONFIG = 20,        /* rules or limits that the product cannot go by */
} tg_update_result;

#endif
