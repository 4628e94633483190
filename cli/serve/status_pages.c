#include "status_pages.h"

#include "cli/text/output.h"
#include "registry/base/address.h"
#include "serve_options.h"

#include "dns/server/server.h"
#include "registry/etcd/follow.h"
#include "registry/feed/guard.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* The loop turns once a second at least (status_http.c). */
#define STALL_MS  5000
#define NS_PER_MS 1000000

static uint64_t status_pages_now_ms(void)
{
    return uv_hrtime() / NS_PER_MS;
}

void status_pages_init(struct status_pages *pages)
{
    pages->stall_ms = pages->stall_ms ? pages->stall_ms : STALL_MS;
    pages->started_s = (uint64_t)time(NULL);
    pages->state = ANSWER_NOT_READY;
    pages->own_times = pages->times =
        (struct metrics_times){.state = ANSWER_NOT_READY, .since_ms = status_pages_now_ms()};
    gethostname(pages->machine, sizeof(pages->machine) - 1);
    pthread_mutex_init(&pages->lock, NULL);
}

static void status_pages_note_state(struct metrics_times *times, enum answer_state state,
                                    uint64_t now_ms)
{
    bool is_stale = state == ANSWER_STALE || state == ANSWER_EXPIRED;
    times->spent_ms[times->state] += now_ms - times->since_ms;
    times->state = state;
    times->since_ms = now_ms;
    if (!is_stale)
        times->stale_since_ms = 0;
    else if (times->stale_since_ms == 0)
        times->stale_since_ms = now_ms;
}

/* Relaxed, as is the time of the turn: each tells of itself alone, and no memory is handed over
 * with it. */
void status_pages_set_state(struct status_pages *pages, enum answer_state state)
{
    __atomic_store_n(&pages->state, state, __ATOMIC_RELAXED);
    status_pages_note_state(&pages->own_times, state, status_pages_now_ms());
}

void status_pages_turn(struct status_pages *pages)
{
    __atomic_store_n(&pages->turned_ms, status_pages_now_ms(), __ATOMIC_RELAXED);
    /* A page is copying the figures. */
    if (pthread_mutex_trylock(&pages->lock) != 0)
        return;
    zone_counts(pages->zone, &pages->zone_counts);
    hosts_count(pages->hosts, &pages->hosts_counts);
    pages->times = pages->own_times;
    if (*pages->follow) {
        pages->member_count = follow_members(*pages->follow, pages->members);
        follow_count(*pages->follow, &pages->follow_counts);
        pages->heard_ms = follow_last_seen_ms(*pages->follow);
    }
    state_writer_counts(pages->writer ? *pages->writer : NULL, &pages->saved_counts);
    if (pages->guard && *pages->guard)
        guard_count(*pages->guard, &pages->guard_counts);
    pthread_mutex_unlock(&pages->lock);
}

static void status_pages_fill(struct status_page *page, unsigned status, const char *text)
{
    page->status = status;
    page->content_type = "text/plain; charset=utf-8";
    page->len = (size_t)snprintf(page->line, sizeof(page->line), "%s\n", text);
}

static void status_pages_show_metrics(struct status_pages *pages, struct status_page *page)
{
    struct counters counters;
    struct output_counts lines;
    struct zone_counts zone;
    struct follow_member members[ENDPOINT_LIST_MAX];
    struct buffer out;
    buffer_init(&out, METRICS_MAX);
    server_counters(pages->server, &counters);
    output_count(&lines);
    struct metrics_input input = {
        .version = EMPUSA_VERSION,
        .domain = zone_domain(pages->zone),
        .counters = &counters,
        .zone = &zone,
        .state = __atomic_load_n(&pages->state, __ATOMIC_RELAXED),
        .started_s = pages->started_s,
        .members = members,
        .lines_lost = lines.lost,
        .lines_rate_limited = lines.rate_limited,
        .has_state_dir = options_text(pages->options, OPTION_STATE_DIR) != NULL,
    };
    /* Copied, and written without the lock: a turn that finds it taken leaves the figures as they
     * are. Workers and log count for themselves, and the zone's name never changes: none of them
     * needs it. */
    pthread_mutex_lock(&pages->lock);
    zone = pages->zone_counts;
    input.hosts = pages->hosts_counts;
    input.follow = pages->follow_counts;
    input.member_count = pages->member_count;
    memcpy(members, pages->members, pages->member_count * sizeof(*members));
    input.times = pages->times;
    input.guard = pages->guard_counts;
    input.heard_ms = pages->heard_ms;
    input.saved = pages->saved_counts;
    pthread_mutex_unlock(&pages->lock);
    input.now_ms = status_pages_now_ms();
    metrics_process(&input.process);
    metrics_write(&input, &out);
    if (out.status != STATUS_OK) {
        status_pages_fill(page, MHD_HTTP_INTERNAL_SERVER_ERROR, status_text(out.status));
        buffer_clear(&out);
        return;
    }
    page->status = MHD_HTTP_OK;
    page->content_type = METRICS_CONTENT_TYPE;
    page->text = out.data;
    page->len = out.len;
}

static void status_pages_show_health(struct status_pages *pages, struct status_page *page)
{
    char text[STATUS_PAGES_LINE_SIZE];
    uint64_t turned_ms = __atomic_load_n(&pages->turned_ms, __ATOMIC_RELAXED);
    uint64_t now_ms = status_pages_now_ms(); /* after turned_ms, so never before it */
    if (now_ms - turned_ms < pages->stall_ms) {
        status_pages_fill(page, MHD_HTTP_OK, "ok");
        return;
    }
    snprintf(text, sizeof(text), "stuck: the control thread has not turned for %llu s",
             (unsigned long long)((now_ms - turned_ms) / 1000));
    status_pages_fill(page, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* Stale is ready: who took such servers out of service would take out all of them whenever etcd is
 * away, which is what stale answers are for. */
static void status_pages_show_readiness(struct status_pages *pages, struct status_page *page)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {[ANSWER_NOT_READY] = {MHD_HTTP_SERVICE_UNAVAILABLE, "not ready"},
                [ANSWER_FRESH] = {MHD_HTTP_OK, "ok"},
                [ANSWER_STALE] = {MHD_HTTP_OK, "stale"},
                [ANSWER_EXPIRED] = {MHD_HTTP_SERVICE_UNAVAILABLE, "expired"}};
    enum answer_state state = __atomic_load_n(&pages->state, __ATOMIC_RELAXED);
    status_pages_fill(page, rows[state].status, rows[state].text);
}

static const struct status_pages_row {
    const char *path;
    bool has_any_host; /* Prometheus and probes come under whatever name they were told */
    void (*show)(struct status_pages *pages, struct status_page *page);
} status_pages_rows[] = {{"/metrics", true, status_pages_show_metrics},
                         {"/healthz", true, status_pages_show_health},
                         {"/readyz", true, status_pages_show_readiness}};

static bool status_pages_is_name(const char *host, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(host, name, len) == 0;
}

/* A name that is not ours may be an attacker's that leads here: a browser would let his page read
 * what we say. An address cannot be made to lead elsewhere, and what sends no Host is no
 * browser. */
static bool status_pages_is_host(const struct status_pages *pages, const char *host)
{
    struct sockaddr_storage address;
    const struct options *options = pages->options;
    if (!host || !*host || address_parse_listen(host, 0, &address, NULL) == STATUS_OK)
        return true;
    size_t len = strcspn(host, ":"), count = options_count(options, OPTION_HTTP_HOST);
    if (host[len + strspn(host + len, ":0123456789")] != '\0')
        return false;
    bool is_ours = status_pages_is_name(host, len, "localhost") ||
                   status_pages_is_name(host, len, pages->machine);
    for (size_t i = 0; i < count && !is_ours; i++)
        is_ours = status_pages_is_name(host, len, options_item(options, OPTION_HTTP_HOST, i));
    return is_ours;
}

void status_pages_show(struct status_pages *pages, const char *path, const char *method,
                       const char *host, struct status_page *out)
{
    const struct status_pages_row *row = NULL;
    *out = (struct status_page){0};
    for (size_t i = 0; i < sizeof(status_pages_rows) / sizeof(status_pages_rows[0]); i++)
        if (strcmp(status_pages_rows[i].path, path) == 0)
            row = &status_pages_rows[i];
    if (!(row && row->has_any_host) && !status_pages_is_host(pages, host))
        status_pages_fill(out, MHD_HTTP_MISDIRECTED_REQUEST,
                          "not under this name; see --http-host");
    else if (!row)
        status_pages_fill(out, MHD_HTTP_NOT_FOUND,
                          "not here; there are /metrics, /healthz and /readyz");
    else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        status_pages_fill(out, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only");
    else
        row->show(pages, out);
}
