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

#define MIRROR_REASONS_MAX 8 /* of one outage that are told */

enum mirror_state {
    MIRROR_PAUSED, /* the timer leads to a load, a knock or a watch */
    MIRROR_KNOCKING,
    MIRROR_LOADING,
    MIRROR_JOINING, /* the watch is being created */
    MIRROR_WATCHING /* the timer ticks */
};

enum mirror_contact { MIRROR_CONTACT_UNKNOWN, MIRROR_CONTACT_LIVE, MIRROR_CONTACT_LOST };

/* When the watch is proven, and how that went. */
struct mirror_proving {
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

struct mirror {
    struct etcd *etcd;
    struct mirror_events events;
    void *arg;
    struct kv_key prefix, end;
    uv_timer_t timer;
    enum mirror_state state;
    enum mirror_contact contact;
    enum status lost_status;
    uint32_t reasons[MIRROR_REASONS_MAX]; /* of this outage: hashes of what was told */
    unsigned reason_count;
    bool is_stopped;
    bool needs_load;
    bool has_begun;   /* the load has been told of */
    bool has_told;    /* something since the last commit */
    bool needs_audit; /* as soon as the watch stands */
    struct range *load, *probe;
    struct audit *audit;
    struct watch *watch;
    struct member *member; /* that is watched */
    int64_t revision;      /* up to which all has been told */
    int64_t loaded;        /* the revision of the last load */
    int64_t newest;        /* the newest of the store that was heard of */
    uint64_t raft_term, cluster_id;
    struct audit_witness witness;
    struct ledger ledger;
    struct mirror_proving proving;
    struct mirror_facts facts;
    uint32_t slice;        /* keys since the last commit of a load */
    unsigned failures;     /* in a row */
    unsigned watches_lost; /* in a row, soon after they were begun */
    unsigned stalls;       /* of the watch amid the line behind this revision: */
    int64_t stalled_at;
    unsigned probes_failed; /* in a row */
    uint64_t last_seen_ms, joined_ms, load_began_ms;
};

uint64_t mirror_now_ms(const struct mirror *mirror);

/* Something failed: begin again after a pause, at once the first time. */
void mirror_fail(struct mirror *mirror, enum status status, const struct detail *why);

/* What is held can no longer be followed, or is doubtful: load again, and go on answering
 * meanwhile. */
void mirror_reload(struct mirror *mirror, const char *reason);

void mirror_set_live(struct mirror *mirror);

/* The timer has rung. */
void mirror_on_timer(uv_timer_t *timer);

/* The newest event that was told stands witness for the store's history. */
void mirror_witness_put(struct mirror *mirror, const struct kv *kv);

/* A linearizable read of one member or, NULL, of any. */
struct range *mirror_ask(struct mirror *mirror, struct member *member, kv_range_done *done);

/* Stop all that was begun with the watch, and the watch. */
void mirror_follow_halt(struct mirror *mirror);

/* Begin to watch, on the member that answered last, unless it has just failed. */
void mirror_follow_join(struct mirror *mirror);

/* What is due while a watch stands. */
void mirror_follow_tick(struct mirror *mirror);

/* The member that is watched is no good: others go first for a while. */
void mirror_follow_leave(struct mirror *mirror, enum status status, const struct detail *why);

/* Go on with another watch, which stands, in the place of this one. */
void mirror_follow_switch(struct mirror *mirror, struct watch *watch, struct member *member);

/* Tell the owner an event, unless it has been told or is out of date. */
void mirror_follow_put(struct mirror *mirror, const struct kv *kv, enum ledger_source source);
void mirror_follow_remove(struct mirror *mirror, const char *key, size_t key_len, int64_t revision,
                          enum ledger_source source);

/* One of the watches has told all up to `revision`. */
void mirror_follow_reach(struct mirror *mirror, int64_t revision);

/* Commit what has been told, unless the watch that is followed stands amid a line; of `except` it
 * is known that it does not. */
void mirror_follow_commit(struct mirror *mirror, const struct watch *except);

/* Whether there are so few keys that all may be looked at without a thought. */
bool mirror_follow_is_small(const struct mirror *mirror);

/* Whether it is time to have the watch proven: many changes are proven before they are too many. */
bool mirror_prove_is_due(const struct mirror *mirror);
void mirror_prove(struct mirror *mirror);

#endif
