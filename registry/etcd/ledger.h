/* registry/etcd/ledger.h - which events have been told since the last revision that was proven, and
 * by whom.
 *
 * Two watches follow the same keys for a while, and a read may tell what both have missed. The
 * ledger lets each event through once, keeps an older one of a key from following a newer one, and
 * knows in the end what one source has told and another has not. Of each key it keeps a hash and
 * its newest event, 16 octets; keys that changed are counted, not keys that exist.
 *
 * What was told up to the proven revision is kept for one more round, for a watch that is late.
 *
 * Threads: a ledger belongs to one thread. */
#ifndef REGISTRY_ETCD_LEDGER_H
#define REGISTRY_ETCD_LEDGER_H

#include "registry/base/status.h"

#define LEDGER_KEYS_MAX 20000 /* that may change between two proofs */

enum ledger_source {
    LEDGER_FOLLOWED = 1, /* the watch that is followed */
    LEDGER_REPLAYED = 2, /* the second watch */
    LEDGER_READ = 4      /* a range */
};

struct ledger_page {
    struct ledger_entry *slots; /* open addressing; NULL = none yet */
    size_t size, count;
};

struct ledger {
    uint8_t seed[16];
    struct ledger_page now, before;
    int64_t proven; /* all up to here is right */
    int64_t floor;  /* what happened up to here is not recorded */
    int64_t newest; /* of all that was told */
};

/* SYSTEM: no randomness. */
MUST_USE enum status ledger_init(struct ledger *ledger);
void ledger_clear(struct ledger *ledger);

/* Everything was read at `revision`: begin anew. */
void ledger_reset(struct ledger *ledger, int64_t revision);

/* An event of a key has arrived. True: it is news, tell it. More keys than LEDGER_KEYS_MAX, or no
 * memory: the ledger begins anew behind the newest event, so that the floor lies above the proven
 * revision; what else happened at the floor's revision is news when the watch that is followed
 * tells it. */
bool ledger_take(struct ledger *ledger, const char *key, size_t key_len, int64_t revision,
                 enum ledger_source source);

/* Where a second watch is to begin: it can be compared with what is recorded from there on. */
int64_t ledger_start(const struct ledger *ledger);

/* Whether all since the proven revision is recorded. */
bool ledger_is_whole(const struct ledger *ledger);

/* Keys that have changed. */
size_t ledger_count(const struct ledger *ledger);

/* Of the keys whose newest event is not above `revision`: those that the watch which is followed
 * has not told but another source has, and those that it has told but the second has not. */
void ledger_compare(const struct ledger *ledger, int64_t revision, uint64_t *lost,
                    uint64_t *unseen);

/* All up to `revision` is right now. is_replaced: the second watch is the one that is followed from
 * now on. */
void ledger_prove(struct ledger *ledger, int64_t revision, bool is_replaced);

#endif
