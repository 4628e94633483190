#include "metrics.h"

#include "registry/base/utf8.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_SIZE       32
#define LABEL_SIZE      2048

/* Figures of the zone as it is now. X(field of struct zone_counts, help) */
#define ZONE_GAUGE_LIST(X)                                                                         \
    X(keys, "Keys of the registry, served or not.")                                                \
    X(services, "Services served.")                                                                \
    X(switches, "Switches served.")                                                                \
    X(types, "Types of services.")                                                                 \
    X(names, "DNS names in the zone.")                                                             \
    X(addresses, "Distinct IP addresses of services and hosts.")                                   \
    X(hosts, "Hosts without a dot that services are on.")                                          \
    X(hosts_without_address, "Those of them without a known address.")                             \
    X(collisions, "Keys whose DNS name another key has, too.")                                     \
    X(large_types, "Types with more than 100 services.")                                           \
    X(ignored_members, "Members of JSON values ignored for a wrong type or range.")                \
    X(bytes, "Memory that the look-up tables take.")

/* What SIGUSR1 and /readyz say in words, as labels. */
static const char *const states[] = {[ANSWER_NOT_READY] = "not_ready",
                                     [ANSWER_FRESH] = "fresh",
                                     [ANSWER_STALE] = "stale",
                                     [ANSWER_EXPIRED] = "expired"};

static const char *const transports[] = {[QUERY_UDP] = "udp", [QUERY_TCP] = "tcp"};

static const char *const types[COUNTERS_TYPE_COUNT] = {
#define TYPE_NAME(name) [COUNTERS_TYPE_##name] = #name,
    COUNTERS_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
        [COUNTERS_TYPE_OTHER] = "OTHER"};

/* IANA's names; 12 to 15 are unassigned. 16 has two: as the rcode of a message, which only EDNS
 * makes that large, it is BADVERS, and not the BADSIG of a TSIG record. */
static const char *const rcodes[COUNTERS_RCODES] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",  "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI", "RCODE12", "RCODE13", "RCODE14",  "RCODE15",
    "BADVERS", "BADKEY",  "BADTIME",  "BADMODE",   "BADNAME", "BADALG",  "BADTRUNC", "BADCOOKIE"};

static const char *const skips[SKIP_COUNT] = {
#define SKIP_NAME(name, sentence) [SKIP_##name] = #name,
    SKIP_LIST(SKIP_NAME)
#undef SKIP_NAME
};

/* Once for each name, in front of all its series: the format has them in one group. */
static void metrics_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP empusa_%s %s\n# TYPE empusa_%s %s\n", name, help, name, type);
}

static void metrics_gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    metrics_head(out, name, "gauge", help);
    buffer_printf(out, "empusa_%s %" PRIu64 "\n", name, value);
}

static void metrics_counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    metrics_head(out, name, "counter", help);
    buffer_printf(out, "empusa_%s %" PRIu64 "\n", name, value);
}

static void metrics_revision(struct buffer *out, const char *name, const char *help, int64_t value)
{
    metrics_head(out, name, "gauge", help);
    buffer_printf(out, "empusa_%s %" PRId64 "\n", name, value);
}

/* The rest of a line. */
static void metrics_seconds(struct buffer *out, uint64_t time_ms)
{
    buffer_printf(out, "%" PRIu64 ".%03u\n", time_ms / 1000, (unsigned)(time_ms % 1000));
}

/* What is measured from may be later: the control thread went on after the time was taken. */
static uint64_t metrics_age_ms(const struct metrics_input *input, uint64_t since_ms)
{
    return input->now_ms > since_ms ? input->now_ms - since_ms : 0;
}

/* Where it was never, not 0, which would be the best of news: an alarm on silence shall ring for an
 * etcd that was never there. */
static void metrics_since(struct buffer *out, const struct metrics_input *input, const char *name,
                          const char *help, uint64_t since_ms)
{
    metrics_head(out, name, "gauge", help);
    buffer_printf(out, "empusa_%s ", name);
    if (since_ms == 0)
        buffer_printf(out, "+Inf\n");
    else
        metrics_seconds(out, metrics_age_ms(input, since_ms));
}

/* One octet that is not UTF-8 would cost the scrape. utf8_show() leaves no LF either, which would
 * have to be escaped, too. */
static void metrics_labelled(struct buffer *out, const char *name, const char *label,
                             const char *value, uint64_t number)
{
    char shown[LABEL_SIZE];
    utf8_show(value, strlen(value), shown, sizeof(shown));
    buffer_printf(out, "empusa_%s{%s=\"", name, label);
    for (const char *c = shown; *c; c++)
        buffer_printf(out, "%s%c", *c == '\\' || *c == '"' ? "\\" : "", *c);
    buffer_printf(out, "\"} %" PRIu64 "\n", number);
}

/* A gauge that is always 1: its label tells. */
static void metrics_info(struct buffer *out, const char *name, const char *help, const char *label,
                         const char *value)
{
    metrics_head(out, name, "gauge", help);
    metrics_labelled(out, name, label, value, 1);
}

static void metrics_lower(const char *name, char out[NAME_SIZE])
{
    size_t i = 0;
    for (; name[i] && i + 1 < NAME_SIZE; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    out[i] = '\0';
}

/* Also the pairs at 0: of a series that appears with its first event rate() does not see that
 * one. */
static void metrics_write_table(struct buffer *out, const char *name, const char *label,
                                const char *const *values, size_t count, const uint64_t *udp,
                                const uint64_t *tcp)
{
    const uint64_t *const numbers[] = {[QUERY_UDP] = udp, [QUERY_TCP] = tcp};
    for (size_t transport = 0; transport < COUNT_OF(transports); transport++)
        for (size_t i = 0; i < count; i++)
            buffer_printf(out, "empusa_%s{transport=\"%s\",%s=\"%s\"} %" PRIu64 "\n", name,
                          transports[transport], label, values[i], numbers[transport][i]);
}

static void metrics_write_dns(struct buffer *out, const struct counters *counters)
{
    metrics_head(out, "dns_queries_total", "counter", "DNS queries by transport and type.");
    metrics_write_table(out, "dns_queries_total", "type", types, COUNT_OF(types),
                        counters->queries[QUERY_UDP], counters->queries[QUERY_TCP]);
    metrics_head(out, "dns_responses_total", "counter", "DNS responses by transport and rcode.");
    metrics_write_table(out, "dns_responses_total", "rcode", rcodes, COUNT_OF(rcodes),
                        counters->rcodes[QUERY_UDP], counters->rcodes[QUERY_TCP]);
#define FACT(field, help)                                                                          \
    metrics_counter(out, "dns_" #field "_total", "DNS: " help ".", counters->field);
    COUNTERS_FACT_LIST(FACT)
#undef FACT
}

static void metrics_write_zone(struct buffer *out, const struct zone_counts *zone)
{
#define ZONE_GAUGE(field, help) metrics_gauge(out, "zone_" #field, help, zone->field);
    ZONE_GAUGE_LIST(ZONE_GAUGE)
#undef ZONE_GAUGE
    metrics_head(out, "zone_skipped", "gauge",
                 "Keys of the registry that cannot be served, by reason.");
    for (size_t i = SKIP_NONE + 1; i < COUNT_OF(skips); i++) {
        char reason[NAME_SIZE];
        metrics_lower(skips[i], reason);
        buffer_printf(out, "empusa_zone_skipped{reason=\"%s\"} %" PRIu64 "\n", reason,
                      zone->skipped[i]);
    }
    metrics_gauge(out, "zone_serial", "Serial of the zone.", zone->serial);
    metrics_revision(out, "zone_revision", "Revision of etcd that the zone shows.", zone->revision);
}

static void metrics_write_hosts(struct buffer *out, const struct hosts_counts *hosts)
{
    metrics_gauge(out, "hosts_left_out",
                  "Hosts without a dot that are not looked up, being too many.", hosts->left_out);
    metrics_counter(out, "host_lookups_total", "Look-ups of hosts without a dot.", hosts->lookups);
    metrics_counter(out, "host_lookup_failures_total", "Those of them that found no address.",
                    hosts->failures);
}

static void metrics_write_state(struct buffer *out, const struct metrics_input *input)
{
    const struct metrics_times *times = &input->times;
    metrics_head(out, "zone_state", "gauge",
                 "1 for the state that the zone is in, 0 for the others.");
    for (size_t i = 0; i < COUNT_OF(states); i++)
        buffer_printf(out, "empusa_zone_state{state=\"%s\"} %d\n", states[i],
                      i == (size_t)input->state);
    metrics_head(out, "zone_state_seconds_total", "counter", "Time spent in each of these states.");
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        uint64_t now_ms = i == (size_t)times->state ? metrics_age_ms(input, times->since_ms) : 0;
        buffer_printf(out, "empusa_zone_state_seconds_total{state=\"%s\"} ", states[i]);
        metrics_seconds(out, times->spent_ms[i] + now_ms);
    }
    metrics_head(out, "zone_stale_seconds", "gauge",
                 "How long answers have been stale, or expired, now; 0: they are neither.");
    buffer_printf(out, "empusa_zone_stale_seconds ");
    metrics_seconds(out, times->stale_since_ms ? metrics_age_ms(input, times->stale_since_ms) : 0);
}

static void metrics_write_etcd(struct buffer *out, const struct metrics_input *input)
{
    const struct follow_counts *follow = &input->follow;
    metrics_since(out, input, "etcd_silence_seconds",
                  "Time since the last sign of life of etcd; +Inf: there was none yet.",
                  input->heard_ms);
    metrics_since(
        out, input, "data_lag_seconds",
        "Age of the data so far as it is proven: each change that etcd had accepted so long ago is "
        "served. Later ones usually are, too, but that is proven at once only while nothing "
        "changes "
        "in etcd, else every 30 s; +Inf: nothing has been loaded yet.",
        follow->proven_ms);
    metrics_revision(
        out, "data_lag_revisions",
        "Revisions of etcd that were heard of and not proven yet: no more changes than these, of "
        "which those of other keys than the registry's are some, can be missing from the data.",
        follow->newest > follow->proven ? follow->newest - follow->proven : 0);
    metrics_revision(out, "etcd_revision",
                     "Newest revision of etcd that was heard of, whichever key it changed.",
                     follow->newest);
    metrics_counter(out, "etcd_outages_total",
                    "Times that contact with etcd was lost, or not to be had at the start.",
                    follow->outages);
    metrics_counter(out, "etcd_loads_total",
                    "Times that the whole tree was loaded, the first one included.", follow->loads);
}

/* One label for each member: there are 32 of them at most, and none goes. There is none before
 * discovery has found some. */
static void metrics_write_members(struct buffer *out, const struct metrics_input *input)
{
    if (input->member_count == 0)
        return;
    metrics_head(out, "etcd_connects_total", "counter",
                 "Times that the registry was begun to be watched on this member: at the start, "
                 "after a loss and after a load.");
    for (size_t i = 0; i < input->member_count; i++)
        metrics_labelled(out, "etcd_connects_total", "member", input->members[i].name,
                         input->members[i].watches);
    metrics_head(out, "etcd_failures_total", "counter",
                 "Times that this member did not answer a request, or had no leader.");
    for (size_t i = 0; i < input->member_count; i++)
        metrics_labelled(out, "etcd_failures_total", "member", input->members[i].name,
                         input->members[i].failures);
    metrics_head(out, "etcd_watched", "gauge",
                 "1 for the member on which the registry is watched, 0 for the others.");
    for (size_t i = 0; i < input->member_count; i++)
        metrics_labelled(out, "etcd_watched", "member", input->members[i].name,
                         input->members[i].is_watched);
}

static void metrics_write_saved(struct buffer *out, const struct metrics_input *input)
{
    const struct state_writer_counts *saved = &input->saved;
    if (!input->has_state_dir)
        return;
    metrics_head(out, "state_dir_age_seconds", "gauge",
                 "Time since the copy in --state-dir was last written; of one that an earlier "
                 "process left, since that was last in contact with etcd; without one, since the "
                 "start; +Inf: none is kept.");
    buffer_printf(out, "empusa_state_dir_age_seconds ");
    if (saved->age_ms == UINT64_MAX)
        buffer_printf(out, "+Inf\n");
    else
        metrics_seconds(out, saved->age_ms);
    metrics_gauge(out, "state_dir_bytes", "Octets that the copy in --state-dir takes on the disk.",
                  saved->bytes);
    metrics_counter(out, "state_dir_write_failures_total",
                    "Times that the copy in --state-dir could not be written.", saved->failures);
}

static void metrics_write_watch(struct buffer *out, const struct follow_counts *facts)
{
    metrics_counter(out, "watch_proofs_total",
                    "Times that a second watch of etcd proved the first.", facts->proofs);
    metrics_counter(out, "watch_repairs_total",
                    "Changes that a watch of etcd had lost, made good by a proof.", facts->repairs);
    metrics_counter(out, "watch_reloads_total",
                    "Times that the whole tree was loaded again: the watch could not be followed, "
                    "memory was short, or "
                    "the copy in --state-dir lacked something.",
                    facts->reloads);
}

static void metrics_write_guard(struct buffer *out, const struct guard_counts *guard)
{
    metrics_gauge(out, "guard_held",
                  "Expired instances that are answered because --guard holds them.", guard->held);
    metrics_counter(out, "guard_holds_total",
                    "Times that --guard began to hold instances of a type.", guard->holds);
    metrics_head(out, "guard_judged_total", "counter",
                 "Instances whose lease was asked for, by what has become of them.");
    buffer_printf(out, "empusa_guard_judged_total{verdict=\"expired\"} %" PRIu64 "\n",
                  guard->expired);
    buffer_printf(out, "empusa_guard_judged_total{verdict=\"deleted\"} %" PRIu64 "\n",
                  guard->deleted);
    metrics_head(
        out, "guard_ended_total", "counter",
        "Instances that are held no more: registered again, let go in the end, or deleted.");
    buffer_printf(out, "empusa_guard_ended_total{reason=\"returned\"} %" PRIu64 "\n",
                  guard->returned);
    buffer_printf(out, "empusa_guard_ended_total{reason=\"released\"} %" PRIu64 "\n",
                  guard->released);
    buffer_printf(out, "empusa_guard_ended_total{reason=\"deleted\"} %" PRIu64 "\n",
                  guard->dropped);
}

static void metrics_write_log(struct buffer *out, const struct metrics_input *input)
{
    metrics_counter(
        out, "log_lines_lost_total",
        "Lines of standard error that were lost: nobody read it, or it could not be written.",
        input->lines_lost);
    metrics_counter(
        out, "log_lines_rate_limited_total",
        "Warnings that were only counted, because ten of their kind had come in that second.",
        input->lines_rate_limited);
}

void metrics_write(const struct metrics_input *input, struct buffer *out)
{
    const struct metrics_process *process = &input->process;
    metrics_write_dns(out, input->counters);
    metrics_write_zone(out, input->zone);
    metrics_write_hosts(out, &input->hosts);
    metrics_write_state(out, input);
    metrics_write_etcd(out, input);
    metrics_write_members(out, input);
    metrics_write_watch(out, &input->follow);
    metrics_write_saved(out, input);
    metrics_write_guard(out, &input->guard);
    metrics_write_log(out, input);
    metrics_info(out, "zone_info", "The zone that is served.", "domain", input->domain);
    metrics_info(out, "build_info", "The version of empusa.", "version", input->version);
    metrics_gauge(out, "process_start_time_seconds", "When the process began, since the epoch.",
                  input->started_s);
    /* What cannot be read is left out: a 0 would pass for a measurement. */
    if (process->resident_bytes > 0)
        metrics_gauge(out, "process_resident_memory_bytes", "Resident memory.",
                      process->resident_bytes);
    if (process->open_fds > 0)
        metrics_gauge(out, "process_open_fds", "Open file descriptors.", process->open_fds);
}

/* proc(5): the second number of statm is the resident set, in pages. */
static uint64_t metrics_read_resident(void)
{
    char text[128];
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    const char *line = fgets(text, sizeof(text), file);
    fclose(file);
    const char *second = line ? strchr(line, ' ') : NULL;
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Up to a bound: the thread that counts them has probes to answer, too. */
static uint64_t metrics_count_fds(void)
{
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    for (const struct dirent *entry; count <= METRICS_FDS_MAX && (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count > 0 && count <= METRICS_FDS_MAX ? count - 1 : 0; /* without the directory's own */
}

void metrics_process(struct metrics_process *out)
{
    *out = (struct metrics_process){metrics_read_resident(), metrics_count_fds()};
}
