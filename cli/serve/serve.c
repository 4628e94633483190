/* What joins the rest: follow reports the registry, the zone takes each change, the workers read
 * the zone. All of it is callbacks of one loop, so nothing here needs a lock.
 *
 * What workers have to know besides the zone is in `env`; a change of it publishes a copy of the
 * whole. Its state is NOT_READY until the first load is complete, then FRESH; STALE while etcd is
 * away or some keys found no memory; EXPIRED once etcd has been away for --stale-limit.
 *
 * A transfer forks and shows the zone of that moment. So none begins between the first change of a
 * group and its commit, nor while keys are missing: the zone is then no state that etcd ever had. */
#include "serve.h"

#include "cli/args/connect.h"
#include "cli/args/session.h"
#include "cli/process/harden.h"
#include "cli/text/output.h"
#include "descriptors.h"
#include "renewal.h"
#include "sd_notify.h"
#include "serve_options.h"
#include "shortage.h"
#include "status_http.h"
#include "status_pages.h"
#include "summary.h"
#include "xfr_child.h"

#include "registry/etcd/follow.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define ADDRESSES_SIZE 1024
#define STEP_MS        500
#define SIGNALS        4

struct serve {
    struct call *call;
    const struct log *log;
    const struct serve_hooks *hooks;
    struct serve_options options;
    struct key_root root;
    struct privileges user;
    struct answer_env env;
    uv_loop_t loop;
    struct etcd *etcd;
    struct follow *follow;
    struct resolver *resolver;
    struct hosts *hosts;
    struct zone *zone;
    struct server *server;
    struct status_pages pages;
    struct status_http *http;
    struct xfr_child *transfers;
    uv_timer_t stale, step, tell;
    struct renewal renewal;
    struct shortage shortage;
    uv_signal_t signals[SIGNALS];
    bool is_loaded; /* the last page of a load is in */
    bool is_ready;  /* and has been published */
    bool is_lost;   /* no contact with etcd */
    int exit_status;
};

static void serve_set_state(struct serve *serve, enum answer_state state)
{
    if (serve->env.state == state)
        return;
    /* It stays set also where it cannot be published: whatever publishes next takes it along. */
    serve->env.state = state;
    status_pages_set_state(&serve->pages, state);
    enum status status = server_set_env(serve->server, &serve->env);
    if (status != STATUS_OK)
        log_printf(serve->log, LOG_LEVEL_ERROR, "workers could not be told: %s",
                   status_text(status));
}

static void serve_on_stale_limit(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    serve_set_state(serve, ANSWER_EXPIRED);
    log_printf(serve->log, LOG_LEVEL_WARNING,
               "etcd has been away for --stale-limit %" PRIu64 " s: queries fail until it is back",
               serve->options.stale_limit_ms / 1000);
}

static void serve_become_stale(struct serve *serve)
{
    serve_set_state(serve, ANSWER_STALE);
    uv_timer_start(&serve->stale, serve_on_stale_limit, serve->options.stale_limit_ms, 0);
}

static void serve_become_ready(struct serve *serve)
{
    char addresses[ADDRESSES_SIZE];
    struct zone_counts counts;
    serve->is_ready = true;
    zone_counts(serve->zone, &counts);
    server_addresses(serve->server, addresses, sizeof(addresses));
    if (serve->is_lost) /* the load was had, but not the watch */
        serve_become_stale(serve);
    else
        serve_set_state(serve, ANSWER_FRESH);
    log_printf(serve->log, LOG_LEVEL_INFO,
               "serving %s on %s: %" PRIu64 " services, %" PRIu64 " switches, revision %" PRId64,
               zone_domain(serve->zone), addresses, counts.services, counts.switches,
               counts.revision);
    /* Not before: what systemd starts after us may ask at once, and would get SERVFAIL. */
    sd_notify_ready(&serve->tell);
    if (serve->hooks->ready)
        serve->hooks->ready(serve->hooks->arg, addresses, zone_domain(serve->zone));
}

static void serve_on_load_begin(void *arg)
{
    struct serve *serve = arg;
    zone_load_begin(serve->zone);
    xfr_child_hold(serve->transfers, true);
}

/* A zone that lacks something is not fresh, and who wants a copy of it is refused: to be told that
 * what it lacks does not exist would be worse than none. */
static void serve_weigh_memory(struct serve *serve, bool is_short)
{
    xfr_child_break(serve->transfers, is_short || serve->is_lost);
    if (serve->is_ready && !serve->is_lost)
        serve_set_state(serve, is_short ? ANSWER_STALE : ANSWER_FRESH);
}

/* A key as the zone wants it: without the root. */
static void serve_on_put(void *arg, const struct kv *kv)
{
    struct serve *serve = arg;
    if (kv->key_len < serve->root.len)
        return;
    xfr_child_hold(serve->transfers, true);
    enum status status =
        zone_put(serve->zone, kv->key + serve->root.len, kv->key_len - serve->root.len, kv->value,
                 kv->value_len, kv->mod_revision, kv->lease);
    if (status == STATUS_OK)
        return;
    /* Only for want of memory: what cannot be served is no error of zone_put(). */
    shortage_begin(&serve->shortage, status);
    serve_weigh_memory(serve, true);
}

static void serve_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)revision;
    struct serve *serve = arg;
    xfr_child_hold(serve->transfers, true);
    if (key_len >= serve->root.len)
        zone_remove(serve->zone, key + serve->root.len, key_len - serve->root.len);
}

static void serve_on_load_end(void *arg, int64_t revision)
{
    (void)revision;
    struct serve *serve = arg;
    /* Ready is said by the commit that follows: what was put is published there. */
    zone_load_end(serve->zone, NULL, NULL);
    serve->is_loaded = true;
}

static void serve_on_commit(void *arg, int64_t revision)
{
    struct serve *serve = arg;
    /* 0: a slice of a load. It can be asked for at once, but shows no revision: nothing may be
     * copied or called whole before the last one. */
    zone_commit(serve->zone, revision);
    if (revision != 0)
        xfr_child_hold(serve->transfers, zone_is_partial(serve->zone));
    if (revision == 0 || zone_is_partial(serve->zone))
        return;
    if (shortage_end(&serve->shortage))
        serve_weigh_memory(serve, false);
    if (serve->is_loaded && !serve->is_ready)
        serve_become_ready(serve);
}

static void serve_lose_contact(struct serve *serve, const struct detail *why)
{
    const char *advice = session_outage_advice(follow_lost_status(serve->follow));
    log_printf(serve->log, LOG_LEVEL_WARNING, "no contact with etcd, trying again: %s%s%s (%s)",
               why->text, *advice ? "; " : "", advice,
               serve->is_ready ? "answering what is known" : "queries fail until it is there");
    /* An outage is reported again for each further reason: the limit runs from the first. */
    if (serve->is_ready && !serve->is_lost)
        serve_become_stale(serve);
    xfr_child_break(serve->transfers, true);
    serve->is_lost = true;
}

static void serve_on_contact(void *arg, bool is_live, const struct detail *why)
{
    struct serve *serve = arg;
    if (!is_live) {
        serve_lose_contact(serve, why);
        return;
    }
    uv_timer_stop(&serve->stale);
    if (serve->is_lost)
        log_printf(serve->log, LOG_LEVEL_INFO, "contact with etcd again: %s",
                   etcd_last_endpoint(serve->etcd));
    serve->is_lost = false;
    /* Not simply fresh: some keys may still be without memory. */
    serve_weigh_memory(serve, zone_is_partial(serve->zone));
}

static uint64_t serve_on_count(void *arg)
{
    struct serve *serve = arg;
    struct zone_counts counts;
    zone_counts(serve->zone, &counts);
    return counts.keys;
}

static void serve_on_host(void *arg, const char *name, const struct resolver_address *addresses,
                          size_t count, uint32_t ttl_s)
{
    struct serve *serve = arg;
    zone_set_host(serve->zone, name, addresses, count, ttl_s);
}

/* SIGHUP is by custom what makes a daemon read its files again; for dev it is the end of its
 * terminal. */
static void serve_on_signal(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;
    if (number == SIGHUP && serve->hooks->hangup == SERVE_HANGUP_RELOADS)
        renewal_ask(&serve->renewal);
    else if (number == SIGUSR1)
        summary_log(serve->log, serve->zone, serve->server, serve->env.state);
    else
        uv_stop(&serve->loop);
}

static void serve_on_step(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    if (serve->hooks->step(serve->hooks->arg))
        return;
    serve->exit_status = 1;
    uv_stop(&serve->loop);
}

/* Before anything is bound or started: a SIGTERM that comes meanwhile is kept in libuv's pipe, and
 * ends the loop in its first turn. A SIGHUP that nohup had ignored would not be so any more once
 * libuv has a handler for it. */
static void serve_start_handles(struct serve *serve)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    output_begin(&serve->loop);
    uv_timer_init(&serve->loop, &serve->stale);
    uv_timer_init(&serve->loop, &serve->step);
    uv_timer_init(&serve->loop, &serve->tell);
    renewal_start(&serve->renewal, &serve->loop);
    shortage_init(&serve->shortage, &serve->loop, &serve->zone, &serve->follow, serve->log);
    serve->stale.data = serve->step.data = serve;
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(&serve->loop, &serve->signals[i]);
        serve->signals[i].data = serve;
        if (numbers[i] != SIGHUP || serve->hooks->hangup != SERVE_HANGUP_NOTHING)
            uv_signal_start(&serve->signals[i], serve_on_signal, numbers[i]);
    }
    if (serve->hooks->step)
        uv_timer_start(&serve->step, serve_on_step, STEP_MS, STEP_MS);
}

/* Before the zone is made: it reports its hosts from its first key on. */
static enum status serve_start_hosts(struct serve *serve, struct detail *why)
{
    if (!serve->options.resolves_hosts)
        return STATUS_OK;
    enum status status = resolver_open(&serve->loop, &serve->resolver, why);
    if (status != STATUS_OK)
        return status;
    status =
        hosts_start(&serve->loop, serve->resolver, serve->log, serve_on_host, serve, &serve->hosts);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    serve->options.zone.host_added = hosts_add;
    serve->options.zone.host_removed = hosts_remove;
    serve->options.zone.arg = serve->hosts;
    return STATUS_OK;
}

static enum status serve_make_zone(struct serve *serve, struct detail *why)
{
    serve->options.zone.log = *serve->log;
    enum status status = zone_new(&serve->options.zone, &serve->zone, why);
    if (status == STATUS_BAD_INPUT)
        return serve_options_fault(&serve->call->options, &serve->options, why);
    return status;
}

static enum status serve_open_server(struct serve *serve, struct detail *why)
{
    struct server_options *options = &serve->options.server;
    enum status status = xfr_child_start(&serve->loop, serve->zone, serve->log, &serve->transfers);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    options->zone = serve->zone;
    options->log = *serve->log;
    options->transfer = xfr_child_take;
    options->transfer_arg = serve->transfers;
    return server_open(options, &serve->server, why);
}

static enum status serve_drop_privileges(struct serve *serve, struct detail *why)
{
    const struct privileges *user = &serve->user;
    if (!user->name)
        return STATUS_OK;
    enum status status = privileges_become(user, why);
    if (status != STATUS_OK)
        options_fault(&serve->call->options, OPTION_USER, user->name, why);
    return status;
}

static enum status serve_start_mirror(struct serve *serve, struct detail *why)
{
    static const struct follow_events events = {.load_begin = serve_on_load_begin,
                                                .put = serve_on_put,
                                                .remove = serve_on_remove,
                                                .load_end = serve_on_load_end,
                                                .commit = serve_on_commit,
                                                .on_connection = serve_on_contact,
                                                .count = serve_on_count};
    struct kv_key prefix;
    key_prefix(&serve->root, KEY_ALL, &prefix);
    enum status status =
        follow_start(serve->etcd, prefix.text, prefix.len, &events, serve, &serve->follow);
    return detail_set(why, status, "%s", status_text(status));
}

static enum status serve_open_pages(struct serve *serve, struct detail *why)
{
    serve->pages = (struct status_pages){.options = &serve->call->options,
                                         .server = serve->server,
                                         .zone = serve->zone,
                                         .hosts = serve->hosts,
                                         .follow = &serve->follow};
    status_pages_init(&serve->pages);
    enum status status = status_http_open(&serve->loop, &serve->pages, 0, &serve->http, why);
    if (status == STATUS_OK && serve->http)
        log_printf(serve->log, LOG_LEVEL_INFO, "status pages on %s", status_http_url(serve->http));
    return status;
}

/* Ports and certificates first, while we may; then the user; then threads, as capabilities are each
 * thread's own and those of others could not be dropped. The mirror comes last: its events reach
 * all the rest. */
static enum status serve_start(struct serve *serve, struct detail *why)
{
    enum status status = serve_start_hosts(serve, why);
    if (status == STATUS_OK)
        status = serve_make_zone(serve, why);
    if (status == STATUS_OK)
        status = serve_open_server(serve, why);
    if (status == STATUS_OK)
        status = serve_open_pages(serve, why);
    if (status == STATUS_OK)
        status = connect_open(&serve->loop, &serve->call->options, serve->log, &serve->etcd, why);
    if (status == STATUS_OK)
        status = serve_drop_privileges(serve, why);
    if (status == STATUS_OK)
        status = server_start(serve->server, &serve->env, why);
    if (status == STATUS_OK)
        status = status_http_start(serve->http, why);
    if (status == STATUS_OK)
        status = serve_start_mirror(serve, why);
    return status;
}

/* Whoever reads goes before what is read: when the zone is freed, the threads of the pages and of
 * the workers are joined and follow reports nothing more. The workers also go before the transfers,
 * which they hand over to. */
static void serve_stop(struct serve *serve)
{
    uv_close((uv_handle_t *)&serve->stale, NULL);
    uv_close((uv_handle_t *)&serve->step, NULL);
    shortage_close(&serve->shortage);
    uv_close((uv_handle_t *)&serve->tell, NULL);
    renewal_stop(&serve->renewal);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&serve->signals[i], NULL);
    output_end();
    status_http_stop(serve->http);
    follow_stop(serve->follow);
    server_stop(serve->server);
    xfr_child_stop(serve->transfers);
    resolver_close(serve->resolver);
    zone_free(serve->zone); /* it may still tell the hosts something */
    hosts_stop(serve->hosts);
    etcd_close(serve->etcd);
    uv_run(&serve->loop, UV_RUN_DEFAULT);
    uv_loop_close(&serve->loop);
}

static enum status serve_read_options(struct serve *serve, enum option_id listen,
                                      struct detail *why)
{
    const struct options *options = &serve->call->options;
    enum status status =
        serve_options_take(options, listen, &serve->root, &serve->user, &serve->options, why);
    if (status != STATUS_OK)
        return status;
    serve->env = serve->options.env;
    serve->renewal = (struct renewal){.options = options,
                                      .log = serve->log,
                                      .env = &serve->env,
                                      .server = &serve->server,
                                      .etcd = &serve->etcd};
    /* All of this before the loop is made: libuv aborts where it gets no descriptor. */
    status = renewal_begin(&serve->renewal, why);
    if (status == STATUS_OK)
        status = descriptors_check_server(options, &serve->options.server, why);
    if (status != STATUS_OK)
        serve_options_clear(&serve->options);
    return status;
}

int serve_run(struct call *call, enum option_id listen, const struct serve_hooks *hooks)
{
    static struct serve serve; /* large; a process serves once */
    struct detail why = {""};
    /* Before the first secret is read. no_new_privs is a thread's own and inherited: before there
     * are others, too. */
    harden_secrets();
    harden_execution();
    serve = (struct serve){.call = call, .log = &call->log, .hooks = hooks};
    enum status status = serve_read_options(&serve, listen, &why);
    if (status != STATUS_OK)
        return session_report(&call->log, status, &why);
    status = session_loop_init(&serve.loop, &why);
    if (status != STATUS_OK) {
        serve_options_clear(&serve.options);
        return session_report(&call->log, status, &why);
    }
    serve_start_handles(&serve);
    status = serve_start(&serve, &why);
    if (status == STATUS_OK)
        uv_run(&serve.loop, UV_RUN_DEFAULT);
    else
        serve.exit_status = session_report(&call->log, status, &why);
    if (status == STATUS_OK)
        sd_notify_send("STOPPING=1");
    serve_stop(&serve);
    serve_options_clear(&serve.options);
    return serve.exit_status;
}

int serve_command(struct call *call)
{
    return serve_run(call, OPTION_LISTEN, &(struct serve_hooks){.hangup = SERVE_HANGUP_RELOADS});
}
