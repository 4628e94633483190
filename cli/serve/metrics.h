/* cli/serve/metrics.h - what a server counts, as text for Prometheus.
 *
 * The text exposition format, version 0.0.4: every metric has its # HELP and # TYPE, is there from
 * the first scrape on, and counts from the start of the process. Names begin with empusa_.
 *
 * Threads: pure but for metrics_process(), which reads /proc. */
#ifndef CLI_SERVE_METRICS_H
#define CLI_SERVE_METRICS_H

#include "dns/answer/answer.h"
#include "dns/server/counters.h"
#include "registry/base/buffer.h"
#include "registry/etcd/follow_types.h"
#include "registry/feed/guard_types.h"
#include "registry/state/state_writer.h"
#include "zones/hosts.h"
#include "zones/zone.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX          131072 /* octets of the text; it takes about 12,000 */
#define METRICS_FDS_MAX      65536
#define METRICS_STATES       (ANSWER_EXPIRED + 1)

/* 0: not known. */
struct metrics_process {
    uint64_t resident_bytes;
    uint64_t open_fds;
};

/* How long answers were in which state. */
struct metrics_times {
    enum answer_state state;           /* now, */
    uint64_t since_ms;                 /* since */
    uint64_t stale_since_ms;           /* stale or expired since; 0: it is neither */
    uint64_t spent_ms[METRICS_STATES]; /* in each state, before that */
};

/* All is borrowed. */
struct metrics_input {
    const char *version; /* "1.0.0" */
    const char *domain;  /* the zone's name */
    const struct counters *counters;
    const struct zone_counts *zone;
    struct hosts_counts hosts;
    enum answer_state state;
    uint64_t started_s;        /* wall clock: when the process began */
    uint64_t now_ms, heard_ms; /* one clock: now, and etcd's last sign of life; 0 = never */
    uint64_t lines_lost, lines_rate_limited; /* of standard error */
    struct follow_counts follow;
    const struct follow_member *members;
    size_t member_count; /* ENDPOINT_LIST_MAX at most */
    struct metrics_times times;
    bool has_state_dir;
    struct state_writer_counts saved; /* of --state-dir */
    struct guard_counts guard;        /* zeros without one */
    struct metrics_process process;
};

/* Append all metrics to `out`, a buffer of up to METRICS_MAX octets. */
void metrics_write(const struct metrics_input *input, struct buffer *out);

/* Memory and descriptors of this process. What cannot be read is not known, nor are more
 * descriptors than METRICS_FDS_MAX, because counting takes time. */
void metrics_process(struct metrics_process *out);

#endif
