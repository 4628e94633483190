/* What joins the rest: follow reports the registry, the zone takes each change (tree.h), the workers
 * read the zone. All of it is callbacks of one loop, so nothing here needs a lock.
 *
 * What workers have to know besides the zone is in `env`; a change of it publishes a copy of the
 * whole. */
#include "serve.h"

#include "cli/args/connect.h"
#include "cli/args/session.h"
#include "cli/process/harden.h"
#include "cli/process/sd_notify.h"
#include "cli/text/output.h"
#include "descriptors.h"
#include "renewal.h"
#include "serve_options.h"
#include "status_http.h"
#include "status_pages.h"
#include "summary.h"
#include "tree.h"
#include "xfr_child.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define ADDRESSES_SIZE 1024
#define STEP_MS        500
#define PUBLISH_MS     50
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
    struct resolver *resolver;
    struct hosts *hosts;
    struct zone *zone;
    struct server *server;
    struct status_pages pages;
    struct status_http *http;
    struct xfr_child *transfers;
    struct tree tree;
    uv_timer_t step, publish;
    bool is_unpublished; /* env, for want of memory */
    struct sd_notify notify;
    struct renewal renewal;
    uv_signal_t signals[SIGNALS];
    int exit_status;
};

/* Until there is memory for it: else workers would answer beyond --stale-limit, or as from a fresh
 * tree. */
static void serve_publish(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    bool was_unpublished = serve->is_unpublished;
    enum status status = server_set_env(serve->server, &serve->env);
    serve->is_unpublished = status != STATUS_OK;
    if (!serve->is_unpublished)
        return;
    uv_timer_start(timer, serve_publish, PUBLISH_MS, 0);
    if (!was_unpublished)
        log_printf(serve->log, LOG_LEVEL_ERROR, "workers could not be told, trying again: %s",
                   status_text(status));
}

static void serve_on_state(void *arg, enum answer_state state)
{
    struct serve *serve = arg;
    serve->env.state = state;
    status_pages_set_state(&serve->pages, state);
    serve_publish(&serve->publish);
}

/* Not before: what systemd starts after us may ask at once, and would get SERVFAIL. */
static void serve_on_ready(void *arg)
{
    struct serve *serve = arg;
    char addresses[ADDRESSES_SIZE];
    struct zone_counts counts;
    zone_counts(serve->zone, &counts);
    server_addresses(serve->server, addresses, sizeof(addresses));
    log_printf(serve->log, LOG_LEVEL_INFO,
               "serving %s on %s: %" PRIu64 " services, %" PRIu64 " switches, revision %" PRId64,
               zone_domain(serve->zone), addresses, counts.services, counts.switches,
               counts.revision);
    sd_notify_ready(&serve->notify);
    if (serve->hooks->ready)
        serve->hooks->ready(serve->hooks->arg, addresses, zone_domain(serve->zone));
}

static enum status serve_on_host(void *arg, const char *name,
                                 const struct resolver_address *addresses, size_t count,
                                 uint32_t ttl_s)
{
    struct serve *serve = arg;
    return zone_set_host(serve->zone, name, addresses, count, ttl_s);
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
    uv_timer_init(&serve->loop, &serve->step);
    uv_timer_init(&serve->loop, &serve->publish);
    sd_notify_start(&serve->notify, &serve->loop);
    renewal_start(&serve->renewal, &serve->loop);
    serve->tree = (struct tree){.log = serve->log,
                                .root = &serve->root,
                                .stale_limit_ms = serve->options.stale_limit_ms,
                                .guard_hold_ms = serve->options.guard_hold_ms,
                                .guard_share = serve->options.guard_share,
                                .resolves_hosts = serve->options.resolves_hosts,
                                .on_state = serve_on_state,
                                .on_ready = serve_on_ready,
                                .arg = serve};
    tree_init(&serve->tree, &serve->loop);
    serve->step.data = serve->publish.data = serve;
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

/* As the user that will write there. To try again, as is said of conflicts, would not help. */
static enum status serve_open_saved(struct serve *serve, struct detail *why)
{
    const struct options *options = &serve->call->options;
    const char *path = options_text(options, OPTION_STATE_DIR);
    if (!path)
        return STATUS_OK;
    enum status status = tree_open_saved(&serve->tree, path, why);
    if (status != STATUS_OK)
        options_fault(options, OPTION_STATE_DIR, path, why);
    return status == STATUS_CONFLICT ? STATUS_SYSTEM : status;
}

static enum status serve_start_tree(struct serve *serve, struct detail *why)
{
    serve->tree.zone = serve->zone;
    serve->tree.transfers = serve->transfers;
    return tree_start(&serve->tree, serve->etcd, why);
}

static enum status serve_open_pages(struct serve *serve, struct detail *why)
{
    serve->pages = (struct status_pages){.options = &serve->call->options,
                                         .server = serve->server,
                                         .zone = serve->zone,
                                         .hosts = serve->hosts,
                                         .follow = &serve->tree.follow,
                                         .writer = &serve->tree.saved.writer,
                                         .guard = &serve->tree.guard};
    status_pages_init(&serve->pages);
    enum status status = status_http_open(&serve->loop, &serve->pages, 0, &serve->http, why);
    if (status == STATUS_OK && serve->http)
        log_printf(serve->log, LOG_LEVEL_INFO, "status pages on %s", status_http_url(serve->http));
    return status;
}

/* Ports and certificates first, while we may; then the user; then threads, as capabilities are each
 * thread's own and those of others could not be dropped. The tree comes last: its events reach
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
        status = serve_open_saved(serve, why);
    if (status == STATUS_OK)
        status = server_start(serve->server, &serve->env, why);
    if (status == STATUS_OK)
        status = status_http_start(serve->http, why);
    if (status == STATUS_OK)
        status = serve_start_tree(serve, why);
    return status;
}

/* Whoever reads goes before what is read: when the zone is freed, the threads of the pages and of
 * the workers are joined and follow reports nothing more. The workers also go before the transfers,
 * which they hand over to. */
static void serve_stop(struct serve *serve)
{
    uv_close((uv_handle_t *)&serve->step, NULL);
    uv_close((uv_handle_t *)&serve->publish, NULL);
    sd_notify_stop(&serve->notify);
    renewal_stop(&serve->renewal);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&serve->signals[i], NULL);
    output_end();
    status_http_stop(serve->http);
    tree_stop(&serve->tree);
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
    harden_writes();
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
        sd_notify_stopping(&serve.notify);
    serve_stop(&serve);
    serve_options_clear(&serve.options);
    return serve.exit_status;
}

int serve_command(struct call *call)
{
    return serve_run(call, OPTION_LISTEN, &(struct serve_hooks){.hangup = SERVE_HANGUP_RELOADS});
}
