#include "xfr_child.h"

#include "cli/process/process.h"
#include "dns/wire/prefix.h"
#include "zones/name/rr.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRANSFER_S  600 /* a slower client has its transfer broken off */
#define TRANSFER_FD 3   /* the child's; everything above is closed */

/* So that the places come back whatever clients do. At this speed a large zone would still take
 * long: that is what TRANSFER_S is for. */
static const struct axfr_pace pace = {.patience_ms = 10000, .octets_per_s = 8192};

/* Who asks. */
struct client {
    bool is_known; /* else it counts as nobody's */
    struct prefix prefix;
};

struct waiting {
    STAILQ_ENTRY(waiting) node;
    int fd;
    struct client client;
    struct axfr_request request;
};

struct place {
    pid_t pid; /* 0: free */
    struct client client;
};

struct xfr_child {
    uv_async_t wake;
    uv_signal_t on_child;
    pthread_mutex_t lock;
    STAILQ_HEAD(, waiting) waiting; /* under the lock */
    size_t waiting_count;           /* under the lock */
    const struct zone *zone;
    struct log log;
    struct place places[XFR_CHILD_MAX];
    unsigned handles; /* open */
    bool is_held, is_broken;
};

static void xfr_child_refuse(struct waiting *item, uint16_t rcode)
{
    axfr_refuse(&item->request, rcode, item->fd);
    free(item);
}

static struct client xfr_child_client_of(int fd)
{
    union {
        struct sockaddr sa;
        struct sockaddr_storage storage;
    } address = {.storage = {.ss_family = AF_UNSPEC}};
    socklen_t len = sizeof(address);
    struct client client = {.is_known = false};
    client.is_known =
        getpeername(fd, &address.sa, &len) == 0 && prefix_of(&address.sa, &client.prefix);
    return client;
}

static bool xfr_child_is_same(const struct client *a, const struct client *b)
{
    return a->is_known && b->is_known && a->prefix.key == b->prefix.key;
}

/* Whether the client has closed its side, or only (is_certain) whether it has reset the connection.
 * One that has shut it down, and still reads, looks as one that is gone. */
static bool xfr_child_is_gone(int fd, bool is_certain)
{
    struct pollfd poll_fd = {.fd = fd, .events = is_certain ? 0 : POLLRDHUP};
    return poll(&poll_fd, 1, 0) > 0;
}

/* Under the lock. */
static void xfr_child_remove(struct xfr_child *transfers, struct waiting *item)
{
    STAILQ_REMOVE(&transfers->waiting, item, waiting, node);
    transfers->waiting_count--;
}

/* Forget those that have gone away. Under the lock. */
static void xfr_child_drop_gone(struct xfr_child *transfers)
{
    struct waiting *next;
    for (struct waiting *item = STAILQ_FIRST(&transfers->waiting); item; item = next) {
        next = STAILQ_NEXT(item, node);
        if (!xfr_child_is_gone(item->fd, false))
            continue;
        xfr_child_remove(transfers, item);
        close(item->fd);
        free(item);
    }
}

static unsigned xfr_child_waiting_of(const struct xfr_child *transfers, const struct client *client)
{
    unsigned count = 0;
    const struct waiting *item;
    STAILQ_FOREACH(item, &transfers->waiting, node)
    count += xfr_child_is_same(&item->client, client);
    return count;
}

/* Queue it, under the lock. Else why not, as an rcode. Who has gone is asked only when there is no
 * room: it takes a system call for each that waits. */
static uint16_t xfr_child_queue(struct xfr_child *transfers, struct waiting *item)
{
    if (transfers->waiting_count == XFR_CHILD_QUEUE_MAX ||
        xfr_child_waiting_of(transfers, &item->client) == XFR_CHILD_CLIENT_QUEUE_MAX)
        xfr_child_drop_gone(transfers);
    if (xfr_child_waiting_of(transfers, &item->client) == XFR_CHILD_CLIENT_QUEUE_MAX)
        return RCODE_REFUSED;
    if (transfers->waiting_count == XFR_CHILD_QUEUE_MAX)
        return RCODE_SERVFAIL;
    STAILQ_INSERT_TAIL(&transfers->waiting, item, node);
    transfers->waiting_count++;
    return 0;
}

void xfr_child_take(void *arg, int fd, const struct axfr_request *request)
{
    struct xfr_child *transfers = arg;
    struct waiting *item = malloc(sizeof(*item));
    if (!item) {
        axfr_refuse(request, RCODE_SERVFAIL, fd);
        return;
    }
    *item = (struct waiting){.fd = fd, .client = xfr_child_client_of(fd), .request = *request};
    pthread_mutex_lock(&transfers->lock);
    uint16_t rcode = xfr_child_queue(transfers, item);
    pthread_mutex_unlock(&transfers->lock);
    if (rcode != 0)
        xfr_child_refuse(item, rcode);
    else
        uv_async_send(&transfers->wake);
}

static bool xfr_child_may_begin(const struct xfr_child *transfers, const struct client *client)
{
    unsigned count = 0;
    for (size_t i = 0; i < XFR_CHILD_MAX; i++)
        count += transfers->places[i].pid != 0 &&
                 xfr_child_is_same(&transfers->places[i].client, client);
    return count < XFR_CHILD_CLIENT_MAX;
}

/* The first that waits or, unless is_any, that may begin: it passes by those of a network that has
 * its share already, so that they hold up nobody else. */
static struct waiting *xfr_child_next_waiting(struct xfr_child *transfers, bool is_any)
{
    pthread_mutex_lock(&transfers->lock);
    struct waiting *item = STAILQ_FIRST(&transfers->waiting);
    while (item && !is_any && !xfr_child_may_begin(transfers, &item->client))
        item = STAILQ_NEXT(item, node);
    if (item)
        xfr_child_remove(transfers, item);
    pthread_mutex_unlock(&transfers->lock);
    return item;
}

/* In the child. Sockets that it kept open would stay so when the server has closed them. SIGHUP and
 * SIGUSR1 may come to all processes of a service and are meant for the server: by default they
 * would end the transfer, as SIGALRM is to. _exit(), as exit() would write once more what the
 * server's streams hold. */
static _Noreturn void xfr_child_send(const struct xfr_child *transfers, const struct waiting *item)
{
    sigset_t none;
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    alarm(TRANSFER_S);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (item->fd != TRANSFER_FD && dup2(item->fd, TRANSFER_FD) < 0)
        _exit(1);
    if (close_range(TRANSFER_FD + 1, ~0U, 0) != 0)
        _exit(1);
    enum status status = axfr_serve(transfers->zone, &item->request, &pace, TRANSFER_FD);
    _exit(status == STATUS_OK ? 0 : 1);
}

static struct place *xfr_child_free_place(struct xfr_child *transfers)
{
    for (size_t i = 0; i < XFR_CHILD_MAX; i++) {
        if (transfers->places[i].pid == 0)
            return &transfers->places[i];
    }
    return NULL;
}

static void xfr_child_begin(struct xfr_child *transfers, struct place *place, struct waiting *item)
{
    sigset_t before;
    /* A fork() copies the page tables of the whole zone: not for a client that is certainly
     * gone. */
    bool is_gone = xfr_child_is_gone(item->fd, true);
    pid_t pid = is_gone ? 0 : process_fork(&before);
    if (pid == 0 && !is_gone)
        xfr_child_send(transfers, item);
    if (pid < 0) {
        log_printf(&transfers->log, LOG_LEVEL_WARNING, "no zone transfer: fork: %s",
                   strerror(errno));
        xfr_child_refuse(item, RCODE_SERVFAIL);
        return;
    }
    /* The child's is the only descriptor from here on: the connection ends with it. */
    *place = (struct place){.pid = pid, .client = item->client};
    close(item->fd);
    free(item);
}

static void xfr_child_begin_some(struct xfr_child *transfers)
{
    struct place *place;
    struct waiting *item;
    while (transfers->is_held && transfers->is_broken &&
           (item = xfr_child_next_waiting(transfers, true)))
        xfr_child_refuse(item, RCODE_SERVFAIL);
    while (!transfers->is_held && (place = xfr_child_free_place(transfers)) &&
           (item = xfr_child_next_waiting(transfers, false)))
        xfr_child_begin(transfers, place, item);
}

static void xfr_child_on_wake(uv_async_t *wake)
{
    xfr_child_begin_some(wake->data);
}

/* Only those that are ours: others in this program have children, too: dev has its etcd. All of
 * ours are asked, as one SIGCHLD may stand for several. */
static void xfr_child_on_child(uv_signal_t *handle, int number)
{
    (void)number;
    struct xfr_child *transfers = handle->data;
    for (size_t i = 0; i < XFR_CHILD_MAX; i++) {
        int status = 0;
        pid_t pid = transfers->places[i].pid;
        if (pid == 0 || waitpid(pid, &status, WNOHANG) == 0)
            continue;
        /* Also after an error: what cannot be waited for is no child of ours. */
        transfers->places[i].pid = 0;
        log_printf(&transfers->log, LOG_LEVEL_DEBUG, "a zone transfer has ended%s",
                   status == 0 ? "" : " before it was complete");
    }
    xfr_child_begin_some(transfers);
}

static void xfr_child_on_closed(uv_handle_t *handle)
{
    struct xfr_child *transfers = handle->data;
    if (--transfers->handles == 0)
        free(transfers);
}

static void xfr_child_close_handle(struct xfr_child *transfers, uv_handle_t *handle)
{
    transfers->handles++;
    uv_close(handle, xfr_child_on_closed);
}

enum status xfr_child_start(uv_loop_t *loop, const struct zone *zone, const struct log *log,
                            struct xfr_child **out)
{
    struct xfr_child *transfers = calloc(1, sizeof(*transfers));
    if (!transfers)
        return STATUS_NO_MEMORY;
    STAILQ_INIT(&transfers->waiting);
    transfers->zone = zone;
    transfers->log = *log;
    transfers->wake.data = transfers->on_child.data = transfers;
    pthread_mutex_init(&transfers->lock, NULL);
    if (uv_async_init(loop, &transfers->wake, xfr_child_on_wake) != 0) {
        free(transfers);
        return STATUS_SYSTEM;
    }
    uv_signal_init(loop, &transfers->on_child);
    uv_signal_start(&transfers->on_child, xfr_child_on_child, SIGCHLD);
    *out = transfers;
    return STATUS_OK;
}

void xfr_child_hold(struct xfr_child *transfers, bool is_held)
{
    transfers->is_held = is_held;
    if (!is_held)
        xfr_child_begin_some(transfers);
}

void xfr_child_break(struct xfr_child *transfers, bool is_broken)
{
    transfers->is_broken = is_broken;
    xfr_child_begin_some(transfers);
}

void xfr_child_stop(struct xfr_child *transfers)
{
    struct waiting *item;
    if (!transfers)
        return;
    while ((item = xfr_child_next_waiting(transfers, true)))
        xfr_child_refuse(item, RCODE_SERVFAIL);
    xfr_child_close_handle(transfers, (uv_handle_t *)&transfers->wake);
    xfr_child_close_handle(transfers, (uv_handle_t *)&transfers->on_child);
}
