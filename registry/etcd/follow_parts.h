/* registry/etcd/follow_parts.h - what the files of a mirror share.
 *
 * follow.c loads, and begins again after failures; follow_watch.c follows a watch and keeps an eye
 * on its member; follow_prove.c has the watch proven.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_FOLLOW_PARTS_H
#define REGISTRY_ETCD_FOLLOW_PARTS_H

#include "client.h"
#include "follow_check.h"
#include "follow_types.h"
#include "ledger.h"
#include "proof.h"
#include "range.h"
#include "watch.h"

#define FOLLOW_REASONS_MAX 8 /* of one outage that are told */

enum follow_state {
    FOLLOW_PAUSED, /* the timer leads to a load, a knock or a watch */
    FOLLOW_KNOCKING,
    FOLLOW_LOADING,
    FOLLOW_JOINING, /* the watch is being created */
    FOLLOW_WATCHING /* the timer ticks */
};

enum follow_contact { FOLLOW_CONTACT_UNKNOWN, FOLLOW_CONTACT_LIVE, FOLLOW_CONTACT_LOST };

/* When the watch is proven, and how that went. */
struct follow_proving {
    struct proof *proof;
    int64_t start; /* of its second watch */
    uint32_t every_ms;
    uint64_t read_max; /* keys; of more, the changed ones are not read */
    uint64_t due_ms, done_ms;
    unsigned failures; /* in a row */
    unsigned doubts;   /* in a row: the second watch told less than the first */
    int64_t counted;   /* the store's revision when the keys were counted last */
    uint64_t count_due_ms;
};

struct follow {
    struct etcd *etcd;
    struct follow_events events;
    void *arg;
    struct kv_key prefix, end;
    uv_timer_t timer;
    enum follow_state state;
    enum follow_contact contact;
    enum status lost_status;
    uint32_t reasons[FOLLOW_REASONS_MAX]; /* of this outage: hashes of what was told */
    unsigned reason_count;
    bool is_stopped;
    bool needs_load;
    bool has_begun;   /* the load has been told of */
    bool has_told;    /* something since the last commit */
    bool needs_check; /* as soon as the watch stands */
    struct range *load, *probe;
    struct follow_check *check;
    struct watch *watch;
    struct member *member; /* that is watched */
    int64_t revision;      /* up to which all has been told */
    int64_t loaded;        /* the revision of the last load */
    int64_t newest;        /* the newest of the store that was heard of */
    uint64_t raft_term, cluster_id;
    struct follow_check_newest_key newest_key;
    struct ledger ledger;
    struct follow_proving proving;
    struct follow_counts facts;
    uint32_t slice;        /* keys since the last commit of a load */
    unsigned failures;     /* in a row */
    unsigned watches_lost; /* in a row, soon after they were begun */
    unsigned stalls;       /* of the watch amid the line behind this revision: */
    int64_t stalled_at;
    unsigned probes_failed; /* in a row */
    uint64_t last_seen_ms, joined_ms, load_began_ms;
};

uint64_t follow_now_ms(const struct follow *follow);

/* Something failed: begin again after a pause, at once the first time. */
void follow_fail(struct follow *follow, enum status status, const struct detail *why);

/* What is held can no longer be followed, or is doubtful: load again, and go on answering
 * meanwhile. */
void follow_reload(struct follow *follow, const char *reason);

void follow_set_live(struct follow *follow);

/* The timer has rung. */
void follow_on_timer(uv_timer_t *timer);

/* The newest event that was told stands witness for the store's history. */
void follow_witness_put(struct follow *follow, const struct kv *kv);

/* A linearizable read of one member or, NULL, of any. */
struct range *follow_ask(struct follow *follow, struct member *member, kv_range_done *done);

/* Stop all that was begun with the watch, and the watch. */
void follow_watch_halt(struct follow *follow);

/* Begin to watch, on the member that answered last, unless it has just failed. */
void follow_watch_join(struct follow *follow);

/* What is due while a watch stands. */
void follow_watch_tick(struct follow *follow);

/* The member that is watched is no good: others go first for a while. */
void follow_watch_abandon_member(struct follow *follow, enum status status,
                                 const struct detail *why);

/* Go on with another watch, which stands, in the place of this one. */
void follow_watch_switch(struct follow *follow, struct watch *watch, struct member *member);

/* Tell the owner an event, unless it has been told or is out of date. */
void follow_watch_put(struct follow *follow, const struct kv *kv, enum ledger_source source);
void follow_watch_remove(struct follow *follow, const char *key, size_t key_len, int64_t revision,
                         enum ledger_source source);

/* One of the watches has told all up to `revision`. */
void follow_watch_reach(struct follow *follow, int64_t revision);

/* Commit what has been told, unless the watch that is followed stands amid a line; of `except` it
 * is known that it does not. */
void follow_watch_commit(struct follow *follow, const struct watch *except);

/* Whether there are so few keys that all may be looked at without a thought. */
bool follow_watch_is_small(const struct follow *follow);

/* Whether it is time to have the watch proven: many changes are proven before they are too many. */
bool follow_prove_is_due(const struct follow *follow);
void follow_prove(struct follow *follow);

#endif
