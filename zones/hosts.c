#include "hosts.h"

#include "name.h"

#include <search.h>
#include <stdlib.h>

#define REFRESH_MIN_S  5
#define REFRESH_MAX_S  300
#define REFRESH_FILE_S 30 /* of what has no TTL: the hosts file */
#define RETRY_S        10 /* after a failure, and for a host that does not exist */
#define LOOKUPS_MAX    32 /* at once */
#define BUSY_MS        50

struct host {
    char name[NAME_LABEL_MAX + 1];
    struct hosts *hosts;
    uv_timer_t timer;
    bool is_asked;    /* a look-up is under way: the host must stay until its callback */
    bool is_unwanted; /* to be released then */
};

struct hosts {
    uv_loop_t *loop;
    struct resolver *resolver;
    hosts_found *found;
    void *arg;
    void *tree; /* of struct host by name */
    unsigned lookups;
    uint32_t jitter;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

enum status hosts_start(uv_loop_t *loop, struct resolver *resolver, hosts_found *found, void *arg,
                        struct hosts **out)
{
    struct hosts *hosts = calloc(1, sizeof(*hosts));
    if (!hosts)
        return STATUS_NO_MEMORY;
    *hosts = (struct hosts){.loop = loop, .resolver = resolver, .found = found, .arg = arg};
    *out = hosts;
    return STATUS_OK;
}

static void on_timer(uv_timer_t *timer);

/* Hosts that were told at once are not asked for again at once: up to an eighth of the time
 * earlier. */
static void ask_in(struct host *host, uint64_t seconds)
{
    uint64_t ms = seconds * 1000;
    struct hosts *hosts = host->hosts;
    hosts->jitter = hosts->jitter * 1103515245u + 12345u;
    ms -= ms / 8 * (hosts->jitter >> 16) / 65536;
    uv_timer_start(&host->timer, on_timer, ms, 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release(struct host *host)
{
    uv_close((uv_handle_t *)&host->timer, on_closed);
}

static uint32_t refresh_s(uint32_t ttl_s)
{
    if (ttl_s == 0)
        return REFRESH_FILE_S;
    if (ttl_s < REFRESH_MIN_S)
        return REFRESH_MIN_S;
    return ttl_s > REFRESH_MAX_S ? REFRESH_MAX_S : ttl_s;
}

static void on_host(void *arg, enum status status, const struct resolver_address *addresses,
                    size_t count, uint32_t ttl_s, const struct detail *why)
{
    struct host *host = arg;
    struct hosts *hosts = host->hosts;
    (void)why;
    host->is_asked = false;
    hosts->lookups--;
    if (host->is_unwanted) {
        release(host);
        return;
    }
    if (status == STATUS_CANCELLED)
        return;
    if (status == STATUS_OK)
        hosts->found(hosts->arg, host->name, addresses, count,
                     ttl_s ? refresh_s(ttl_s) : UINT32_MAX);
    else if (status == STATUS_NOT_FOUND)
        hosts->found(hosts->arg, host->name, NULL, 0, UINT32_MAX);
    ask_in(host, status == STATUS_OK ? refresh_s(ttl_s) : RETRY_S);
}

static void on_timer(uv_timer_t *timer)
{
    struct host *host = timer->data;
    struct hosts *hosts = host->hosts;
    if (hosts->lookups >= LOOKUPS_MAX) {
        uv_timer_start(&host->timer, on_timer, BUSY_MS, 0);
        return;
    }
    hosts->lookups++;
    host->is_asked = true;
    resolver_host(hosts->resolver, host->name, on_host, host);
}

void hosts_want(void *arg, const char *name)
{
    struct hosts *hosts = arg;
    struct host *host = calloc(1, sizeof(*host));
    if (!host || strlen(name) >= sizeof(host->name)) {
        free(host);
        return; /* no address: the SRV record still stands */
    }
    memcpy(host->name, name, strlen(name) + 1);
    host->hosts = hosts;
    struct host **found = tsearch(host, &hosts->tree, compare);
    if (!found || *found != host) {
        free(host);
        return;
    }
    uv_timer_init(hosts->loop, &host->timer);
    host->timer.data = host;
    uv_unref((uv_handle_t *)&host->timer);
    uv_timer_start(&host->timer, on_timer, 0, 0);
}

static void forget(struct hosts *hosts, struct host *host)
{
    tdelete(host, &hosts->tree, compare);
    uv_timer_stop(&host->timer);
    if (host->is_asked)
        host->is_unwanted = true;
    else
        release(host);
}

void hosts_unwant(void *arg, const char *name)
{
    struct hosts *hosts = arg;
    struct host key;
    if (strlen(name) >= sizeof(key.name))
        return;
    memcpy(key.name, name, strlen(name) + 1);
    struct host **found = tfind(&key, &hosts->tree, compare);
    if (found)
        forget(hosts, *found);
}

void hosts_stop(struct hosts *hosts)
{
    if (!hosts)
        return;
    while (hosts->tree)
        forget(hosts, *(struct host **)hosts->tree);
    free(hosts);
}
