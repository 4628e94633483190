#include "dev.h"

#include "child.h"
#include "command.h"
#include "output.h"
#include "serve.h"
#include "session.h"
#include "sink.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TREE_ROOT    "/empusa"
#define ADDRESS_SIZE 64
#define HINTS_SIZE   SINK_MAX

struct dev {
    struct call *call;
    struct child child;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* "127.0.0.1:5300, ..." as dig wants the first of them. */
static void for_dig(const char *addresses, char *out, size_t size)
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

static void print_hints(void *arg, const char *addresses, const char *domain)
{
    struct dev *dev = arg;
    char server[ADDRESS_SIZE * 2], text[HINTS_SIZE];
    for_dig(addresses, server, sizeof(server));
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
    if (!output_print(text))
        log_printf(&dev->call->log, LOG_LEVEL_WARNING, "standard output cannot be written: %s",
                   strerror(errno));
}

static bool check_child(void *arg)
{
    struct dev *dev = arg;
    struct detail why;
    if (child_is_running(&dev->child, &why))
        return true;
    log_printf(&dev->call->log, LOG_LEVEL_ERROR, "%s", why.text);
    return false;
}

/* Our own etcd and tree, whatever the environment says of another cluster. */
static enum status set_options(struct call *call, uint16_t port, struct detail *why)
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

static int run(struct dev *dev)
{
    struct detail why;
    enum status status = set_options(dev->call, dev->child.port, &why);
    if (status != STATUS_OK)
        return session_report(&dev->call->log, status, &why);
    if (interrupted)
        return 0;
    struct serve_hooks hooks = {print_hints, check_child, dev};
    return serve_run(dev->call, OPTION_LISTEN_DEV, &hooks);
}

int dev_command(struct call *call)
{
    struct dev dev = {.call = call};
    struct detail why;
    /* While etcd starts a signal must not leave it behind; later the loop has them. */
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    enum status status =
        child_start(options_text(&call->options, OPTION_DATA_DIR), &dev.child, &why);
    if (status != STATUS_OK)
        return session_report(&call->log, status, &why);
    int exit_status = run(&dev);
    child_stop(&dev.child);
    return exit_status;
}
