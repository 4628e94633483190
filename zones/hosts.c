#include "hosts.h"

#include "registry/base/backoff.h"
#include "registry/base/random.h"
#include "zones/name/name.h"

#include <search.h>
#include <stdlib.h>
#include <sys/param.h>
#include <sys/queue.h>

/* A TTL of a second must not cost a look-up every second; and one of a day must not keep an address
 * that has changed for longer than five minutes. DNS that fails does so for all hosts and comes
 * back for all, so none waits for long after it; a host that does not exist mostly stays away. */
#define REFRESH_MIN_S  5U
#define REFRESH_MAX_S  300U
#define REFRESH_FILE_S 30 /* of what has no TTL: the hosts file */
#define RETAKE_S       1  /* what was found could not be taken */
#define RETRY_MIN_S    10U
#define RETRY_MAX_S    300U /* for a host that does not exist */
#define RETRY_DNS_S    60U  /* at most, when it is DNS that fails */
/* Failures in a row that a host keeps its place through while others wait. */
#define FAILURES_TOLERATED 3
#define TICK_MS            (1000 / HOSTS_PER_S)

/* Each host is in one of these states; a queue holds those that are in one of the first three. */
enum host_state {
    HOST_NEW,   /* due, and never looked up */
    HOST_AGAIN, /* due */
    HOST_LEFT_OUT,
    HOST_QUEUES,
    HOST_LOOKING_UP =
        HOST_QUEUES, /* a look-up is under way: the host must stay until its callback */
    HOST_KNOWN       /* its timer leads to the next look-up */
};

struct host {
    char name[NAME_LABEL_MAX + 1];
    enum host_state state;
    bool is_removed; /* to be released when the look-up is over */
    unsigned failures;
    struct hosts *hosts;
    TAILQ_ENTRY(host) in_queue;
    uv_timer_t timer;
};

struct hosts {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct log log;
    hosts_found *found;
    void *arg;
    void *tree; /* of struct host by name: balanced (glibc), whatever names strangers choose */
    TAILQ_HEAD(host_queue, host) queues[HOST_QUEUES];
    uv_timer_t pump;
    uint64_t budget_ms; /* when the look-ups that were begun are paid for */
    unsigned lookups;   /* under way */
    size_t admitted;    /* not left out */
    struct hosts_counts counts;
    bool was_again; /* the last look-up came from that queue */
    bool has_warned;
};

static int hosts_compare(const void *a, const void *b)
{
    return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

static void hosts_pump(uv_timer_t *pump);

enum status hosts_start(uv_loop_t *loop, struct resolver *resolver, const struct log *log,
                        hosts_found *found, void *arg, struct hosts **out)
{
    struct hosts *hosts = malloc(sizeof(*hosts));
    if (!hosts)
        return STATUS_NO_MEMORY;
    *hosts =
        (struct hosts){.loop = loop, .resolver = resolver, .log = *log, .found = found, .arg = arg};
    for (unsigned i = 0; i < HOST_QUEUES; i++)
        TAILQ_INIT(&hosts->queues[i]);
    uv_timer_init(loop, &hosts->pump);
    hosts->pump.data = hosts;
    /* Unreferenced, as the hosts' timers are: to refresh addresses is no reason for a loop to go
     * on. */
    uv_unref((uv_handle_t *)&hosts->pump);
    *out = hosts;
    return STATUS_OK;
}

/* Of those that are new the newest comes first: a flood before it does not hold it up. */
static void hosts_enqueue(struct host *host, enum host_state state)
{
    struct host_queue *queue = &host->hosts->queues[state];
    bool is_new = state == HOST_NEW || (state == HOST_LEFT_OUT && host->failures == 0);
    host->state = state;
    if (is_new)
        TAILQ_INSERT_HEAD(queue, host, in_queue);
    else
        TAILQ_INSERT_TAIL(queue, host, in_queue);
    host->hosts->counts.left_out += state == HOST_LEFT_OUT;
}

static void hosts_dequeue(struct host *host)
{
    TAILQ_REMOVE(&host->hosts->queues[host->state], host, in_queue);
    host->hosts->counts.left_out -= host->state == HOST_LEFT_OUT;
}

static void hosts_on_timer(uv_timer_t *timer)
{
    struct host *host = timer->data;
    hosts_enqueue(host, HOST_AGAIN);
    hosts_pump(&host->hosts->pump);
}

/* Up to an eighth earlier at random, so that hosts that came together are not all looked up again
 * together. */
static void hosts_look_up_in(struct host *host, uint64_t seconds)
{
    uint64_t ms = seconds * 1000;
    ms -= random_below((uint32_t)(ms / 8) + 1);
    host->state = HOST_KNOWN;
    uv_timer_start(&host->timer, hosts_on_timer, ms, 0);
}

static void hosts_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static uint32_t hosts_retry_s(const struct host *host, enum status status)
{
    uint32_t max_s = status == STATUS_NOT_FOUND ? RETRY_MAX_S : RETRY_DNS_S;
    return backoff_pause(RETRY_MIN_S, max_s, host->failures);
}

/* The first in the queue gets the place that has become free; one that failed before is looked up
 * after a pause. */
static void hosts_admit(struct hosts *hosts)
{
    struct host *host = TAILQ_FIRST(&hosts->queues[HOST_LEFT_OUT]);
    hosts->admitted--;
    if (!host)
        return;
    hosts_dequeue(host);
    hosts->admitted++;
    if (host->failures)
        /* What it failed for is not remembered: the longer pause. */
        hosts_look_up_in(host, hosts_retry_s(host, STATUS_NOT_FOUND));
    else
        hosts_enqueue(host, HOST_NEW);
}

static uint32_t hosts_refresh_s(uint32_t ttl_s)
{
    return ttl_s ? MIN(MAX(ttl_s, REFRESH_MIN_S), REFRESH_MAX_S) : REFRESH_FILE_S;
}

/* Whether a host that has failed yields its place to one that waits: at once where that one has
 * never been looked up and this one does not exist. */
static bool hosts_yields(const struct host *host, enum status status)
{
    const struct host *waiting = TAILQ_FIRST(&host->hosts->queues[HOST_LEFT_OUT]);
    return waiting && (host->failures >= FAILURES_TOLERATED ||
                       (waiting->failures == 0 && status == STATUS_NOT_FOUND));
}

static void hosts_fail(struct host *host, enum status status)
{
    struct hosts *hosts = host->hosts;
    hosts->counts.failures++;
    host->failures++;
    if (hosts_yields(host, status)) {
        hosts_enqueue(host, HOST_LEFT_OUT);
        hosts_admit(hosts);
    } else {
        hosts_look_up_in(host, hosts_retry_s(host, status));
    }
}

static void hosts_on_host(void *arg, enum status status, const struct resolver_address *addresses,
                          size_t count, uint32_t ttl_s, const struct detail *why)
{
    struct host *host = arg;
    struct hosts *hosts = host->hosts;
    (void)why;
    hosts->lookups--;
    if (host->is_removed) {
        uv_close((uv_handle_t *)&host->timer, hosts_on_closed);
    } else if (status == STATUS_OK) {
        host->failures = 0;
        /* First: what is told may be the host's end. Without memory nothing has come of it. */
        hosts_look_up_in(host, hosts_refresh_s(ttl_s));
        if (hosts->found(hosts->arg, host->name, addresses, count,
                         ttl_s ? hosts_refresh_s(ttl_s) : UINT32_MAX) != STATUS_OK)
            hosts_look_up_in(host, RETAKE_S);
    } else if (status == STATUS_CANCELLED) {
        host->state = HOST_KNOWN;
    } else {
        hosts_fail(host, status);
        if (status == STATUS_NOT_FOUND)
            (void)hosts->found(hosts->arg, host->name, NULL, 0, UINT32_MAX); /* needs no memory */
    }
    /* Cancelled is said by a resolver that closes, and takes no more; hosts_stop() comes next. */
    if (status != STATUS_CANCELLED)
        hosts_pump(&hosts->pump);
}

/* The next to look up: in turn one that is new and one that is not. */
static struct host *hosts_next_host(const struct hosts *hosts)
{
    struct host *fresh = TAILQ_FIRST(&hosts->queues[HOST_NEW]);
    struct host *again = TAILQ_FIRST(&hosts->queues[HOST_AGAIN]);
    return !fresh || (again && !hosts->was_again) ? again : fresh;
}

/* Begin the look-ups that may begin now. The budget is a point in time that each look-up moves on
 * by a tick: it may lie a burst behind now, but not before it. */
static void hosts_pump(uv_timer_t *pump)
{
    struct hosts *hosts = pump->data;
    const uint64_t burst_ms = UINT64_C(1) * HOSTS_BURST * TICK_MS;
    uint64_t now_ms = uv_now(hosts->loop);
    uint64_t earliest_ms = now_ms > burst_ms ? now_ms - burst_ms : 0;
    if (hosts->budget_ms < earliest_ms)
        hosts->budget_ms = earliest_ms;
    while (hosts->lookups < HOSTS_LOOKUPS_MAX) {
        struct host *host = hosts_next_host(hosts);
        if (!host)
            return;
        if (hosts->budget_ms >= now_ms) {
            uv_timer_start(pump, hosts_pump, hosts->budget_ms - now_ms + TICK_MS, 0);
            return;
        }
        hosts->budget_ms += TICK_MS;
        hosts->was_again = host->state == HOST_AGAIN;
        hosts_dequeue(host);
        host->state = HOST_LOOKING_UP;
        hosts->lookups++;
        hosts->counts.lookups++;
        /* Last, since without memory it calls back before it returns. */
        resolver_host(hosts->resolver, host->name, hosts_on_host, host);
    }
}

static void hosts_warn(struct hosts *hosts)
{
    if (!hosts->has_warned)
        log_printf(&hosts->log, LOG_LEVEL_WARNING,
                   "the registry names more than %d hosts without a dot: not all of them can be "
                   "looked up (see empusa_hosts_left_out)",
                   HOSTS_MAX);
    hosts->has_warned = true;
}

enum status hosts_add(void *arg, const char *name)
{
    struct hosts *hosts = arg;
    struct host *host;
    if (strlen(name) >= sizeof(host->name))
        return STATUS_OK; /* no address: the SRV record still stands */
    host = calloc(1, sizeof(*host));
    if (!host)
        return STATUS_NO_MEMORY;
    memcpy(host->name, name, strlen(name) + 1);
    host->hosts = hosts;
    struct host **found = tsearch(host, &hosts->tree, hosts_compare);
    if (!found || *found != host) {
        free(host);
        return found ? STATUS_OK : STATUS_NO_MEMORY;
    }
    uv_timer_init(hosts->loop, &host->timer);
    host->timer.data = host;
    uv_unref((uv_handle_t *)&host->timer);
    if (hosts->admitted >= HOSTS_MAX) {
        hosts_enqueue(host, HOST_LEFT_OUT);
        hosts_warn(hosts);
        return STATUS_OK;
    }
    hosts->admitted++;
    hosts_enqueue(host, HOST_NEW);
    /* Not from here: the zone is in the midst of a change. */
    if (!uv_is_active((uv_handle_t *)&hosts->pump))
        uv_timer_start(&hosts->pump, hosts_pump, 0, 0);
    return STATUS_OK;
}

static void hosts_forget(struct hosts *hosts, struct host *host)
{
    bool has_place = host->state != HOST_LEFT_OUT;
    tdelete(host, &hosts->tree, hosts_compare);
    uv_timer_stop(&host->timer);
    if (host->state < HOST_QUEUES)
        hosts_dequeue(host);
    if (host->state == HOST_LOOKING_UP)
        host->is_removed = true;
    else
        uv_close((uv_handle_t *)&host->timer, hosts_on_closed);
    if (has_place)
        hosts_admit(hosts);
}

void hosts_remove(void *arg, const char *name)
{
    struct hosts *hosts = arg;
    struct host key;
    if (strlen(name) >= sizeof(key.name))
        return;
    memcpy(key.name, name, strlen(name) + 1);
    struct host **found = tfind(&key, &hosts->tree, hosts_compare);
    if (found)
        hosts_forget(hosts, *found);
}

void hosts_count(const struct hosts *hosts, struct hosts_counts *out)
{
    *out = hosts ? hosts->counts : (struct hosts_counts){0};
}

/* A node of tsearch(3) begins with a pointer to what it holds, so the tree can be emptied from its
 * root. No look-up is under way any more (hosts.h asks for resolver_close() first), so each host
 * goes with its own timer, and the rest with the pump. */
void hosts_stop(struct hosts *hosts)
{
    if (!hosts)
        return;
    while (hosts->tree)
        hosts_forget(hosts, *(struct host **)hosts->tree);
    uv_close((uv_handle_t *)&hosts->pump, hosts_on_closed);
}
