#include "commands.h"

#include "cli/args/session.h"
#include "cli/process/ending.h"
#include "cli/serve/serve.h"
#include "cli/text/output.h"
#include "cli/text/sink.h"
#include "etcd_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TREE_ROOT    "/empusa"
#define ADDRESS_SIZE 64
#define HINTS_SIZE   SINK_MAX

struct dev {
    struct call *call;
    struct etcd_child child;
    uv_loop_t loop; /* of the guard only; serve has its own */
    /* From beginning to end: a signal that found its default action before the loop of serve has
     * its handlers, or after, would leave etcd's data behind. */
    struct ending guard;
    bool is_interrupted;
};

static void dev_on_interrupt(void *arg)
{
    struct dev *dev = arg;
    dev->is_interrupted = true;
}

/* Nothing is left to be undone: what comes now may not change the exit status either. */
static void dev_guard_end(struct dev *dev)
{
    ending_stop(&dev->guard);
    uv_run(&dev->loop, UV_RUN_DEFAULT);
    uv_loop_close(&dev->loop);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

/* The guard's loop turns here alone: while etcd starts no loop runs, and later it is that of
 * serve. */
static bool dev_is_interrupted(void *arg)
{
    struct dev *dev = arg;
    uv_run(&dev->loop, UV_RUN_NOWAIT);
    return dev->is_interrupted;
}

/* "127.0.0.1:5300, ..." as dig wants the first of them. */
static void dev_for_dig(const char *addresses, char *out, size_t size)
{
    char first[ADDRESS_SIZE];
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(addresses, ","), addresses);
    char *port = strrchr(first, ':');
    if (!port) {
        snprintf(out, size, "@%s", first);
        return;
    }
    *port++ = '\0';
    const char *host = first;
    if (*host == '[') {
        host++;
        first[strcspn(first, "]")] = '\0';
    }
    snprintf(out, size, "@%s -p %s", host, port);
}

static void dev_print_hints(void *arg, const char *addresses, const char *domain)
{
    struct dev *dev = arg;
    char server[ADDRESS_SIZE * 2], text[HINTS_SIZE];
    dev_for_dig(addresses, server, sizeof(server));
    snprintf(text, sizeof(text),
             "export EMPUSA_ETCD_ENDPOINT=%s\n"
             "export EMPUSA_TREE_ROOT=%s\n"
             "\n"
             "In another terminal, after these two lines:\n"
             "\n"
             "  empusa service register --service-type web --service-name shop "
             "--service-location 10.1.2.3:8080\n"
             "  empusa service list\n"
             "  dig %s shop._web._tcp.%s SRV\n"
             "\n"
             "Ctrl-C ends it.\n",
             options_text(&dev->call->options, OPTION_ETCD_ENDPOINT),
             options_text(&dev->call->options, OPTION_TREE_ROOT), server, domain);
    /* The loop of serve calls this: a terminal that was stopped with Ctrl-S must not hold it up. */
    if (!output_print(text))
        log_printf(&dev->call->log, LOG_LEVEL_WARNING, "standard output cannot be written: %s",
                   strerror(errno));
}

static bool dev_check_child(void *arg)
{
    struct dev *dev = arg;
    struct detail why;
    /* One that came before the loop of serve had its handlers. */
    if (dev_is_interrupted(dev))
        return false;
    if (etcd_child_is_running(&dev->child, &why))
        return true;
    log_printf(&dev->call->log, LOG_LEVEL_ERROR, "%s", why.text);
    return false;
}

/* Our own etcd and tree, whatever the environment says of another cluster, its certificates and its
 * users: ours has neither. */
static enum status dev_set_options(struct call *call, uint16_t port, struct detail *why)
{
    static const enum option_id others[] = {
        OPTION_ETCD_ENDPOINT, OPTION_ETCD_DISCOVERY_SRV, OPTION_ETCD_USER, OPTION_ETCD_PASSWORD,
        OPTION_ETCD_CERT,     OPTION_ETCD_KEY,           OPTION_CA_BUNDLE};
    char endpoint[ADDRESS_SIZE];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        options_unset(&call->options, others[i]);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
    enum status status = options_set(&call->options, OPTION_ETCD_PROTOCOL, "http", why);
    if (status == STATUS_OK)
        status = options_set(&call->options, OPTION_ETCD_ENDPOINT, endpoint, why);
    if (status == STATUS_OK && !options_has(&call->options, OPTION_TREE_ROOT))
        status = options_set(&call->options, OPTION_TREE_ROOT, TREE_ROOT, why);
    return status;
}

static int dev_run(struct dev *dev)
{
    struct detail why;
    enum status status = dev_set_options(dev->call, dev->child.port, &why);
    if (status != STATUS_OK)
        return session_report(&dev->call->log, status, &why);
    if (dev_is_interrupted(dev))
        return 0;
    bool is_hangup_ignored = dev->guard.count < ENDING_SIGNALS; /* as by nohup */
    struct serve_hooks hooks = {.ready = dev_print_hints,
                                .step = dev_check_child,
                                .hangup =
                                    is_hangup_ignored ? SERVE_HANGUP_NOTHING : SERVE_HANGUP_ENDS,
                                .arg = dev};
    int exit_status = serve_run(dev->call, OPTION_LISTEN_DEV, &hooks);
    /* dev_check_child() ends serve with 1 for a signal, too, and that is what was asked for. */
    return dev->is_interrupted ? 0 : exit_status;
}

int dev_command(struct call *call)
{
    struct dev dev = {.call = call};
    struct detail why;
    enum status status = session_loop_init(&dev.loop, &why);
    if (status != STATUS_OK)
        return session_report(&call->log, status, &why);
    /* Before etcd, so that there is no moment at which a signal leaves it, or its data, behind. */
    ending_start(&dev.guard, &dev.loop, dev_on_interrupt, &dev);
    status = etcd_child_start(options_text(&call->options, OPTION_DATA_DIR), dev_is_interrupted,
                              &dev, &dev.child, &why);
    int exit_status = 0;
    if (status == STATUS_OK) {
        exit_status = dev_run(&dev);
        etcd_child_stop(&dev.child);
    } else if (!dev.is_interrupted) {
        exit_status = session_report(&call->log, status, &why);
    }
    dev_guard_end(&dev);
    return exit_status;
}
