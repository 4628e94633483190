#include "pages.h"

#include "cli/text/output.h"
#include "http.h"
#include "metrics.h"

#include "dns/server/server.h"
#include "registry/etcd/follow.h"
#include "zones/zone.h"

#include <stdlib.h>
#include <time.h>

static enum answer_state pages_state(void *arg)
{
    const struct pages *pages = arg;
    return pages->env->state;
}

static enum status pages_metrics(void *arg, char **text, size_t *len)
{
    const struct pages *pages = arg;
    struct counters counters;
    struct zone_counts counts;
    struct output_counts lines;
    struct metrics_text out = {0};
    server_counters(pages->server, &counters);
    zone_counts(pages->zone, &counts);
    output_count(&lines);
    struct metrics_input input = {
        .version = EMPUSA_VERSION,
        .domain = zone_domain(pages->zone),
        .counters = &counters,
        .zone = &counts,
        .state = pages->env->state,
        .started_s = pages->started_s,
        .now_ms = uv_now(pages->loop),
        .heard_ms = *pages->follow ? follow_last_seen_ms(*pages->follow) : 0,
        .lines_lost = lines.lost,
        .lines_rate_limited = lines.rate_limited,
    };
    hosts_count(pages->hosts, &input.hosts);
    if (*pages->follow)
        follow_count(*pages->follow, &input.follow);
    metrics_process(&input.process);
    metrics_write(&input, &out);
    if (out.status != STATUS_OK) {
        free(out.data);
        return out.status;
    }
    *text = out.data;
    *len = out.len;
    return STATUS_OK;
}

enum status pages_start(struct pages *pages, uv_loop_t *loop, const char *listen,
                        struct detail *why)
{
    struct http_server_options options = {
        .listen = listen, .state = pages_state, .metrics = pages_metrics, .arg = pages};
    pages->loop = loop;
    pages->started_s = (uint64_t)time(NULL);
    return http_server_start(loop, &options, &pages->http, why);
}

const char *pages_url(const struct pages *pages)
{
    return http_server_url(pages->http);
}

void pages_stop(struct pages *pages)
{
    http_server_stop(pages->http);
    pages->http = NULL;
}
