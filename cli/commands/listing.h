/* cli/commands/listing.h - the keys below a prefix, with the seconds that their leases have left.
 *
 * All keys are those of one revision, in key order. They come page by page, so that memory is
 * bounded whatever their number, and nothing is under way at etcd while a page is being printed: a
 * reader may take its time. A lease is asked for once, when its first key is met, unless there are
 * very many.
 *
 * Threads: as session.h. */
#ifndef CLI_COMMANDS_LISTING_H
#define CLI_COMMANDS_LISTING_H

#include "cli/args/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed for the call that shows the page; octets. */
struct listing_row {
    const char *key, *value;
    size_t key_len, value_len;
    int64_t lease;  /* 0 = none */
    int64_t left_s; /* of the lease */
    bool is_cut;    /* the value was too long to be read whole, and is left out */
};

/* The next rows, at least one. Not OK: no more are wanted. */
typedef enum status listing_page(void *arg, const struct listing_row *rows, size_t count);

/* Read all keys that begin with the prefix; those whose lease expired between the two questions are
 * left out. Not OK: session->why, or what `page` returned. COMPACTED: etcd has forgotten the
 * revision while it was being read. */
MUST_USE enum status listing_read(struct session *session, const struct kv_key *prefix,
                                  listing_page *page, void *arg);

#endif
