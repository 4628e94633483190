#include "transfers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RCODE_SERVFAIL 2
#define TRANSFER_S     600 /* a slower client has its transfer broken off */
#define TRANSFER_FD    3   /* the child's; everything above is closed */

struct waiting {
    struct waiting *next;
    int fd;
    struct transfer_request request;
};

struct transfers {
    uv_async_t wake;
    uv_signal_t on_child;
    uv_mutex_t lock;
    struct waiting *first, **last; /* under the lock */
    size_t waiting_count;          /* under the lock */
    const struct zone *zone;
    struct log log;
    pid_t children[TRANSFERS_MAX]; /* 0: none */
    unsigned handles;              /* open */
    bool is_held, is_broken;
};

static void refuse(struct waiting *item)
{
    transfer_refuse(&item->request, RCODE_SERVFAIL, item->fd);
    free(item);
}

void transfers_take(void *arg, int fd, const struct transfer_request *request)
{
    struct transfers *transfers = arg;
    struct waiting *item = malloc(sizeof(*item));
    if (!item) {
        transfer_refuse(request, RCODE_SERVFAIL, fd);
        return;
    }
    *item = (struct waiting){.fd = fd, .request = *request};
    uv_mutex_lock(&transfers->lock);
    bool is_full = transfers->waiting_count == TRANSFERS_QUEUE_MAX;
    if (!is_full) {
        *transfers->last = item;
        transfers->last = &item->next;
        transfers->waiting_count++;
    }
    uv_mutex_unlock(&transfers->lock);
    if (is_full)
        refuse(item);
    else
        uv_async_send(&transfers->wake);
}

static struct waiting *next_waiting(struct transfers *transfers)
{
    uv_mutex_lock(&transfers->lock);
    struct waiting *item = transfers->first;
    if (item) {
        transfers->first = item->next;
        transfers->waiting_count--;
        if (!item->next)
            transfers->last = &transfers->first;
    }
    uv_mutex_unlock(&transfers->lock);
    return item;
}

/* In the child. Sockets that it kept open would stay so when the server has closed them. */
static void run_child(const struct transfers *transfers, const struct waiting *item)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD, SIGALRM};
    sigset_t none;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        signal(numbers[i], SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    alarm(TRANSFER_S);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (item->fd != TRANSFER_FD && dup2(item->fd, TRANSFER_FD) < 0)
        _exit(1);
    if (close_range(TRANSFER_FD + 1, ~0U, 0) != 0)
        _exit(1);
    _exit(transfer_serve(transfers->zone, &item->request, TRANSFER_FD) == STATUS_OK ? 0 : 1);
}

/* No signal may find the child with libuv's handlers: they would tell the parent's loop, through a
 * pipe that both have. */
static pid_t fork_child(const struct transfers *transfers, const struct waiting *item)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(transfers, item);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

static pid_t *free_place(struct transfers *transfers)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        if (transfers->children[i] == 0)
            return &transfers->children[i];
    }
    return NULL;
}

static void begin_some(struct transfers *transfers)
{
    pid_t *place;
    struct waiting *item;
    while (transfers->is_held && transfers->is_broken && (item = next_waiting(transfers)))
        refuse(item);
    while (!transfers->is_held && (place = free_place(transfers)) &&
           (item = next_waiting(transfers))) {
        pid_t pid = fork_child(transfers, item);
        if (pid < 0) {
            log_printf(&transfers->log, LOG_LEVEL_WARNING, "no zone transfer: fork: %s",
                       strerror(errno));
            refuse(item);
            continue;
        }
        *place = pid;
        close(item->fd);
        free(item);
    }
}

static void on_wake(uv_async_t *wake)
{
    begin_some(wake->data);
}

/* Only those that are ours: others in this program have children, too. */
static void on_child(uv_signal_t *handle, int number)
{
    (void)number;
    struct transfers *transfers = handle->data;
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        int status = 0;
        pid_t pid = transfers->children[i];
        if (pid == 0 || waitpid(pid, &status, WNOHANG) == 0)
            continue;
        transfers->children[i] = 0;
        log_printf(&transfers->log, LOG_LEVEL_DEBUG, "a zone transfer has ended%s",
                   status == 0 ? "" : " before it was complete");
    }
    begin_some(transfers);
}

static void on_closed(uv_handle_t *handle)
{
    struct transfers *transfers = handle->data;
    if (--transfers->handles > 0)
        return;
    uv_mutex_destroy(&transfers->lock);
    free(transfers);
}

static void close_handle(struct transfers *transfers, uv_handle_t *handle)
{
    transfers->handles++;
    uv_close(handle, on_closed);
}

enum status transfers_start(uv_loop_t *loop, const struct zone *zone, const struct log *log,
                            struct transfers **out)
{
    struct transfers *transfers = calloc(1, sizeof(*transfers));
    if (!transfers)
        return STATUS_NO_MEMORY;
    transfers->last = &transfers->first;
    transfers->zone = zone;
    transfers->log = *log;
    transfers->wake.data = transfers->on_child.data = transfers;
    if (uv_mutex_init(&transfers->lock) != 0) {
        free(transfers);
        return STATUS_SYSTEM;
    }
    if (uv_async_init(loop, &transfers->wake, on_wake) != 0) {
        uv_mutex_destroy(&transfers->lock);
        free(transfers);
        return STATUS_SYSTEM;
    }
    uv_signal_init(loop, &transfers->on_child);
    uv_signal_start(&transfers->on_child, on_child, SIGCHLD);
    *out = transfers;
    return STATUS_OK;
}

void transfers_hold(struct transfers *transfers, bool is_held)
{
    transfers->is_held = is_held;
    if (!is_held)
        begin_some(transfers);
}

void transfers_break(struct transfers *transfers, bool is_broken)
{
    transfers->is_broken = is_broken;
    begin_some(transfers);
}

void transfers_stop(struct transfers *transfers)
{
    struct waiting *item;
    if (!transfers)
        return;
    while ((item = next_waiting(transfers)))
        refuse(item);
    close_handle(transfers, (uv_handle_t *)&transfers->wake);
    close_handle(transfers, (uv_handle_t *)&transfers->on_child);
}
