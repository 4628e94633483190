#include "renewal.h"

#include "cli/args/connect.h"
#include "cli/process/harden.h"
#include "cookie_secrets.h"

#include "dns/server/server.h"

#define INTERVAL_MS 1000

enum status renewal_begin(struct renewal *renewal, struct detail *why)
{
    const char *path = options_text(renewal->options, OPTION_COOKIE_SECRET);
    enum status status = cookie_secrets_load(renewal->options, renewal->env, why);
    if (status == STATUS_OK && path)
        /* Each time, as it may be another file by now. */
        harden_warn(renewal->log, option_row(OPTION_COOKIE_SECRET)->name, path);
    return status;
}

static void renewal_renew(struct renewal *renewal)
{
    struct detail why;
    enum status status = renewal_begin(renewal, &why);
    if (status == STATUS_OK) {
        /* All that the server can lack. */
        detail_set(&why, STATUS_OK, "%s", status_text(STATUS_NO_MEMORY));
        status = server_set_env(*renewal->server, renewal->env);
    }
    if (status != STATUS_OK)
        log_printf(renewal->log, LOG_LEVEL_WARNING, "the cookie secrets stay as they are: %s",
                   why.text);
    /* Whatever became of the cookies: a certificate that is about to expire cannot wait for
     * them. */
    enum status connection = connect_reload(*renewal->etcd, renewal->options, &why);
    if (connection != STATUS_OK)
        log_printf(renewal->log, LOG_LEVEL_WARNING,
                   "certificates and password of etcd stay as they are: %s", why.text);
    if (status == STATUS_OK && connection == STATUS_OK)
        log_printf(renewal->log, LOG_LEVEL_INFO, "secrets and certificates have been read again");
}

static void renewal_on_timer(uv_timer_t *timer)
{
    struct renewal *renewal = timer->data;
    renewal_renew(renewal);
    /* The pause counts from the end: reading may have taken longer than it. */
    uv_update_time(timer->loop);
    renewal->not_before_ms = uv_now(timer->loop) + INTERVAL_MS;
}

void renewal_start(struct renewal *renewal, uv_loop_t *loop)
{
    uv_timer_init(loop, &renewal->timer);
    renewal->timer.data = renewal;
}

/* The timer is idle again before it reads, so a signal that comes meanwhile, perhaps for what was
 * just written, starts it anew; those that come while it is running are answered by the same
 * reading. */
void renewal_ask(struct renewal *renewal)
{
    uint64_t now_ms = uv_now(renewal->timer.loop);
    uint64_t due_ms = renewal->not_before_ms;
    if (!uv_is_active((uv_handle_t *)&renewal->timer))
        uv_timer_start(&renewal->timer, renewal_on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void renewal_stop(struct renewal *renewal)
{
    uv_close((uv_handle_t *)&renewal->timer, NULL);
}
