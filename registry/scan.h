/* registry/scan.h - the keys below a prefix, with the seconds that their leases have left.
 *
 * All keys are those of one revision, in key order. They come page by page, so that memory is
 * bounded whatever their number, and nothing is under way at etcd while a page is being handled: a
 * reader may take its time. A lease is asked for once, when its first key is met, unless there are
 * very many.
 *
 * Units: *_s is whole seconds.
 * Threads: as etcd.h. */
#ifndef REGISTRY_SCAN_H
#define REGISTRY_SCAN_H

#include "key.h"
#include "registry/etcd/etcd.h"

/* Borrowed for the call that handles the page; octets. */
struct scan_row {
    const char *key, *value;
    size_t key_len, value_len;
    int64_t lease;  /* 0 = none */
    int64_t left_s; /* of the lease; 0 in its last second */
    bool is_cut;    /* the value was too long to be read whole, and is left out */
};

/* The next rows, at least one; those whose lease expired between the two questions are left out.
 * Not OK: no more are wanted, and the scan ends with that status. */
typedef enum status scan_page(void *arg, const struct scan_row *rows, size_t count);

/* The scan has ended and is freed: OK after the last page. COMPACTED: etcd has forgotten the
 * revision while it was being read. CANCELLED: by etcd_close(). NO_MEMORY, what on_page returned,
 * and what kv.h and lease.h say. *why is borrowed. */
typedef void scan_done(void *arg, enum status status, const struct detail *why);

/* Begin. Does not block; all is called from the loop, on_done exactly once. The prefix is copied.
 * False: no memory, or the client is closing; nothing will be called. */
MUST_USE bool scan_start(struct etcd *etcd, const struct kv_key *prefix, scan_page *on_page,
                         scan_done *on_done, void *arg);

#endif
