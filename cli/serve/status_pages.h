/* cli/serve/status_pages.h - what the status pages of `serve` say.
 *
 *   /metrics   what the server counts (metrics.h)
 *   /healthz   200 while the control thread turns, 503 when it has not for 5 s
 *   /readyz    200 "ok" or "stale" when queries are answered, 503 "not ready" or "expired" when not
 *
 * The control thread leaves copies of its figures, and that it has turned, behind it; pages are
 * made of these on any other thread. So no page costs the control thread a turn, and one that is
 * stuck can be told from a process that is gone.
 *
 * Threads: status_pages_show() from any, at the same time as the rest, which is the control
 * thread's. */
#ifndef CLI_SERVE_STATUS_PAGES_H
#define CLI_SERVE_STATUS_PAGES_H

#include "cli/args/option.h"
#include "metrics.h"

#include "registry/etcd/endpoint.h"

#include <limits.h>
#include <pthread.h>

struct follow;
struct guard;
struct server;
struct state_writer;

#define STATUS_PAGES_LINE_SIZE 128

/* What is looked at; all must outlive the pages. */
struct status_pages {
    const struct options *options; /* --http, --http-connections, --http-host */
    const struct server *server;
    const struct zone *zone;
    const struct hosts *hosts;          /* NULL: none are looked up */
    struct follow *const *follow;       /* *follow is NULL before the first contact is sought */
    struct state_writer *const *writer; /* of --state-dir; *writer is NULL without one */
    struct guard *const *guard;         /* NULL, or *guard is: there is none */
    uint32_t stall_ms;                  /* of /healthz; 0 = 5000 */
    /* The rest is status_pages_init()'s. */
    uint64_t started_s;
    struct metrics_times own_times; /* the control thread's */
    char machine[HOST_NAME_MAX + 1];
    enum answer_state state; /* atomic */
    uint64_t turned_ms;      /* atomic: the last turn, CLOCK_MONOTONIC */
    pthread_mutex_t lock;    /* of what follows: the control thread's figures at that turn */
    struct zone_counts zone_counts;
    struct hosts_counts hosts_counts;
    struct follow_counts follow_counts;
    struct follow_member members[ENDPOINT_LIST_MAX];
    size_t member_count;
    struct metrics_times times;
    struct state_writer_counts saved_counts;
    struct guard_counts guard_counts;
    uint64_t heard_ms;
};

struct status_page {
    unsigned status; /* of HTTP */
    const char *content_type;
    char *text; /* malloc()ed, to be freed by the caller; NULL: `line` is the page */
    size_t len;
    char line[STATUS_PAGES_LINE_SIZE];
};

/* Once the caller has filled its part; nothing is to be given back. */
void status_pages_init(struct status_pages *pages);

/* What /readyz says from now on; "not ready" at first. */
void status_pages_set_state(struct status_pages *pages, enum answer_state state);

/* The control thread turns. It never waits: figures that are being read stay for another turn. */
void status_pages_turn(struct status_pages *pages);

/* Make the page at `path`: also the one that says that there is none (404, 405), or none under this
 * `host`, a request's Host header, or NULL (421). Blocks for a read of /proc. */
void status_pages_show(struct status_pages *pages, const char *path, const char *method,
                       const char *host, struct status_page *out);

#endif
