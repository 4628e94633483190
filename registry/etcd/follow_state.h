/* registry/etcd/follow_state.h - the state of what is followed, and what every part of it does:
 * tell the owner of events, fail, load again.
 *
 * follow.c loads, and begins again after failures; follow_watch.c follows a watch and keeps an eye
 * on its member; follow_prove.c has the watch proven. Each calls only those after it, and all of
 * them this file; back they come by the timer, whose call-back is follow.c's.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_FOLLOW_STATE_H
#define REGISTRY_ETCD_FOLLOW_STATE_H

#include "client.h"
#include "follow_check.h"
#include "follow_types.h"
#include "ledger.h"
#include "watch.h"

#define FOLLOW_REASONS_MAX 8     /* of one outage that are told */
#define FOLLOW_GAP_MAX     20000 /* revisions; etcd replays more in a time that grows squarely */
#define FOLLOW_AMID_MS     5000  /* that a line of the second watch may pause */

enum follow_state {
    FOLLOW_PAUSED, /* the timer leads to a load, a knock or a watch */
    FOLLOW_KNOCKING,
    FOLLOW_LOADING,
    FOLLOW_JOINING, /* the watch is being created */
    FOLLOW_WATCHING /* the timer ticks */
};

enum follow_connection {
    FOLLOW_CONNECTION_UNKNOWN,
    FOLLOW_CONNECTION_LIVE,
    FOLLOW_CONNECTION_LOST
};

enum follow_proof_step {
    FOLLOW_PROOF_NONE,      /* no proof is under way */
    FOLLOW_PROOF_JOINING,   /* the second watch is being made */
    FOLLOW_PROOF_TARGETING, /* the store's revision is being read */
    FOLLOW_PROOF_SETTLING,  /* until all up to there must have been told */
    FOLLOW_PROOF_READING,
    FOLLOW_PROOF_WAITING, /* to count */
    FOLLOW_PROOF_COUNTING
};

/* The proof that is under way. */
struct follow_proof {
    enum follow_proof_step step;
    struct member *member; /* to ask; NULL = any */
    struct watch *watch;   /* the second; NULL = reads must do */
    struct range *range;   /* what is being read */
    int64_t start;         /* of the second watch */
    int64_t replayed;      /* the revision up to which that has told; 0 = nothing yet */
    int64_t target;        /* the store's revision: all up to here is to be proven */
    uint64_t raft_term;    /* the store's */
    uint64_t began_ms, asked_ms, target_ms, count_began_ms; /* asked_ms: for the target */
    uint64_t held;                                          /* keys, while they are counted */
    unsigned counts;                                        /* that found another number */
    bool reads_changes; /* read the keys changed since the last proof */
    bool needs_count;   /* compare the number of keys */
    bool has_counted;   /* that was right */
    uint32_t count_ms;  /* and took so long */
};

/* When the watch is proven, and how that went. */
struct follow_proving {
    uint32_t every_ms;
    uint64_t read_max; /* keys; of more, the changed ones are not read */
    uint64_t due_ms, done_ms;
    unsigned failures; /* in a row */
    unsigned doubts;   /* in a row: the second watch told less than the first */
    int64_t counted;   /* the store's revision when the keys were counted last */
    uint64_t count_due_ms;
};

/* What the probe asks, asked of another member. */
struct follow_rival {
    struct follow *follow;
    struct range *range; /* NULL: it is not being asked */
};

struct follow {
    struct etcd *etcd;
    struct follow_events events;
    void *arg;
    struct kv_key prefix, end;
    struct kv_range keys; /* from that to this: all that are followed */
    uv_timer_t timer;
    uv_timer_cb on_timer;                    /* follow.c's: what is due */
    const struct watch_events *watch_events; /* follow_watch.c's: of the watch that is followed */
    enum follow_state state;
    enum follow_connection connection;
    enum status lost_status;
    uint64_t reasons[FOLLOW_REASONS_MAX]; /* of this outage: hashes of what was told */
    unsigned reason_count;
    bool is_stopped;
    bool needs_load;
    bool has_begun;   /* the load has been told of */
    bool has_told;    /* something since the last commit */
    bool needs_check; /* as soon as the watch stands */
    struct range *load, *probe;
    struct follow_rival rivals[ENDPOINT_LIST_MAX]; /* as the set's members: the probe is late */
    struct follow_check *check;
    struct watch *watch;
    struct member *member; /* that is watched */
    int64_t revision;      /* up to which all has been told */
    int64_t told; /* of the newest event that a watch has told: above that, of a part of its line */
    unsigned amid;  /* the watches, as ledger sources, of whose line a part has been told late */
    int64_t loaded; /* the revision of the last load */
    int64_t newest; /* the newest of the store that was heard of */
    uint64_t raft_term, cluster_id;
    struct follow_check_newest_key newest_key;
    struct ledger ledger;
    struct follow_proof proof;
    struct follow_proving proving;
    struct follow_counts facts;
    uint32_t slice;           /* keys since the last commit of a load */
    uint32_t load_timeout_ms; /* without progress, at first */
    unsigned loads_late;      /* in a row: they took too long */
    unsigned failures;        /* in a row */
    unsigned watches_lost;    /* in a row, soon after they were begun */
    unsigned stalls;          /* of the watch inside the line behind this revision: */
    int64_t stalled_at;
    unsigned probes_failed; /* in a row */
    unsigned still_ticks;   /* in a row: the watch stands inside a line, */
    uint64_t still_ms;      /* and was last seen then */
    uint64_t last_seen_ms, load_began_ms, probed_ms;
    uint64_t joined_ms; /* while joining: since when */
};

uint64_t follow_state_now_ms(const struct follow *follow);

/* Stop all requests, and the timer. */
void follow_state_halt(struct follow *follow);

/* Nobody waits for another member's answer any more. */
void follow_state_end_rivals(struct follow *follow);

/* Do what is due after a pause. */
void follow_state_pause(struct follow *follow, uint32_t pause_ms);

/* Something failed: begin again after a pause, at once the first time. */
void follow_state_fail(struct follow *follow, enum status status, const struct detail *why);

/* What is held can no longer be followed, or is doubtful: load again, and go on answering
 * meanwhile. */
void follow_state_reload(struct follow *follow, const char *reason);
/* The same, said at this level. */
void follow_state_reload_at(struct follow *follow, enum log_level level, const char *reason);

/* The member that is watched is no good: others go first for a while. */
void follow_state_abandon_member(struct follow *follow, enum status status,
                                 const struct detail *why);

/* Contact with etcd stands. */
void follow_state_set_live(struct follow *follow);

/* The proof is over, or not to be gone on with. */
void follow_state_end_proof(struct follow *follow);

/* A linearizable read of one member or, NULL, of any. timeout_ms 0: the client's. NULL: no memory. */
MUST_USE struct range *follow_state_ask(struct follow *follow, struct member *member,
                                        uint32_t timeout_ms, kv_range_done *done, void *arg);

/* The newest event that was told is what the store's history will be checked by. */
void follow_state_note_put(struct follow *follow, const struct kv *kv);

/* Tell the owner an event, unless it has been told or is out of date. */
void follow_state_put(struct follow *follow, const struct kv *kv, enum ledger_source source);
void follow_state_remove(struct follow *follow, const char *key, size_t key_len, int64_t revision,
                         enum ledger_source source);

/* A watch begins with nothing told of its line. */
void follow_state_begin_watch(struct follow *follow, enum ledger_source source);
/* A line of it has ended: it has told all up to `revision`. Commits. */
void follow_state_end_line(struct follow *follow, enum ledger_source source, int64_t revision);

/* Commit what has been told, unless it is part of a line, of a watch that stands or above what has been
 * told whole: what stands under one revision is shown as a whole. A watch may break off inside a line; then
 * another, or a load, tells all of it. The owner may stop the follow here. */
void follow_state_commit(struct follow *follow);

/* Whether there are so few keys that all may be looked at without a thought. */
bool follow_state_is_small(const struct follow *follow);

/* follow_watch.c: the watch that is followed, and whether its member is still there. */

/* Begin to watch, on the member that answered last, unless it has just failed. */
void follow_watch_join(struct follow *follow);

/* What is due while a watch stands, or is being created. */
void follow_watch_tick(struct follow *follow);

/* follow_prove.c: has the watch told everything? It is proven when it is time, and what that shows is
 * acted upon. */

/* Whether it is time: many changes are proven before they are too many. */
bool follow_prove_is_due(const struct follow *follow);

/* Begin a proof; a watch stands and no proof is under way. */
void follow_prove(struct follow *follow);

/* To be called each second or so while a proof is under way. May end it. */
void follow_prove_tick(struct follow *follow);

#endif
